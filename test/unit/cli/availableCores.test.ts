import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { availableCores } from '../../../gateway/cli/availableCores.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

let mount: string;
beforeAll(() => {
  mount = createTemporaryDirectory();
  mkdirSync(join(mount, 'service'));
});

function setQuota(path: string, quota: number): void {
  writeFileSync(join(mount, path, 'cpu.cfs_quota_us'), `${quota}\n`);
  writeFileSync(join(mount, path, 'cpu.cfs_period_us'), '100000\n');
}

function coresOf(memberships: string): number {
  const file = join(mount, 'cgroup');
  writeFileSync(file, memberships);
  return availableCores(8, file, mount);
}

test('a quota of cgroup v1 limits the number of cores, in the cgroup of the process or in that of its container', () => {
  const service = '12:cpuset:/\n4:cpu,cpuacct:/service\n1:name=systemd:/service\n0::/\n';
  expect(coresOf(service)).toBe(8);
  setQuota('', -1);
  setQuota('service', 250_000);
  expect(coresOf(service)).toBe(2);
  setQuota('service', 50_000);
  expect(coresOf(service)).toBe(1);
  expect(coresOf('3:cpuacct,cpu:/docker/0a1b2c\n')).toBe(8);
  setQuota('', 300_000);
  expect(coresOf('3:cpuacct,cpu:/docker/0a1b2c\n')).toBe(3);
  setQuota('', 1_600_000);
  expect(coresOf('0::/\n')).toBe(8);
});
