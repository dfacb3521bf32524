import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** How many CPU cores this process may use. Node knows the affinity mask and a quota of cgroup v2, but not one of cgroup v1,
 *  which Docker and systemd set on older systems. */
export function availableCores(
  cores = availableParallelism(),
  membership = '/proc/self/cgroup',
  mount = '/sys/fs/cgroup/cpu',
): number {
  const [, path = ''] = /^\d+:(?:\w+,)*cpu(?:,\w+)*:(.*)$/m.exec(read(membership)) ?? [];
  // A container sees its own cgroup at the mount, and the path that the host has for it.
  for (const directory of [`${mount}${path}`, mount]) {
    const quota = Number(read(`${directory}/cpu.cfs_quota_us`));
    const period = Number(read(`${directory}/cpu.cfs_period_us`));
    if (quota > 0 && period > 0) return Math.max(1, Math.min(cores, Math.floor(quota / period)));
  }
  return cores;
}

/** Empty for a missing file. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
