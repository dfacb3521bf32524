import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { Certificates } from '../../../gateway/tls/certificates.ts';
import { createCertificate } from '../../harness/createCertificate.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const todayMs = Math.floor(Date.now() / 1_000) * 1_000;
const inDays = (days: number): Date => new Date(todayMs + days * 86_400_000);
const lateEnd = inDays(60);
const soonEnd = inDays(5);
const supergraph = { file: 'supergraph.graphql' };

let directory: string;
beforeEach(() => {
  directory = createTemporaryDirectory();
});

const fileOf = (name: string): string => join(directory, name);

/** In a directory of its own: the directory is watched. */
async function writeOwn(name: string, notAfter: Date): Promise<{ cert: string; key: string }> {
  const { cert, key } = createCertificate({ name, notAfter });
  await mkdir(fileOf(name), { recursive: true });
  const files = { cert: fileOf(`${name}/cert.pem`), key: fileOf(`${name}/key.pem`) };
  await writeFile(files.key, key);
  await writeFile(files.cert, cert);
  return files;
}

async function start(options: Partial<Parameters<typeof parseConfig>[0]>) {
  const timers = new FakeTimers();
  const warnings: unknown[] = [];
  const certificates = await Certificates.read(parseConfig({ supergraph, ...options }), {
    timers,
    log: { info: () => {}, warn: (...line: unknown[]) => void warnings.push(line), error: () => {} },
  });
  const registry = new Registry();
  certificates.registerMetrics(registry);
  const read = async () => {
    const [metric] = await registry.getMetricsAsJSON();
    return metric?.values.map(({ labels, value }) => [labels.option, value]);
  };
  return { certificates, timers, warnings, read };
}

test('each option with certificates has their end, which for authorities is that of the last one, and a warning in the last week', async () => {
  const listener = await writeOwn('listener', lateEnd);
  const client = await writeOwn('client', soonEnd);
  const ends = [inDays(90), inDays(-2), inDays(70)];
  const bundle = ends.map((notAfter) =>
    createCertificate({ name: 'authority', isAuthority: true, notBefore: inDays(-5), notAfter }),
  );
  await writeFile(fileOf('ca.pem'), bundle.map(({ cert }) => cert).join(''));
  const ca = fileOf('ca.pem');
  const { certificates, timers, warnings, read } = await start({
    listen: { tls: listener },
    // `products` inherits the files of `all`.
    subgraphs: { all: { tls: { ca } }, products: {}, reviews: { tls: client } },
    redis: { url: 'rediss://redis.test', tls: { certificate: client.cert, key: client.key, ca } },
  });
  expect(await read()).toEqual([
    ['listen.tls.cert', lateEnd.getTime() / 1_000],
    ['subgraphs.all.tls.ca', inDays(90).getTime() / 1_000],
    ['subgraphs.reviews.tls.cert', soonEnd.getTime() / 1_000],
    ['subgraphs.reviews.tls.ca', inDays(90).getTime() / 1_000],
    ['redis.tls.certificate', soonEnd.getTime() / 1_000],
    ['redis.tls.ca', inDays(90).getTime() / 1_000],
  ]);
  const problem = `The certificate file ${client.cert} has a certificate (CN=client) that expires on ${soonEnd.toISOString()}.`;
  const message = 'A certificate is not valid, or soon will not be';
  expect(warnings).toEqual([
    [{ option: 'subgraphs.reviews.tls', problem }, message],
    [{ option: 'redis.tls', problem }, message],
  ]);
  await writeOwn('client', lateEnd);
  await timers.waitForTimer(100);
  timers.fire(100);
  const ofClient = async () =>
    new Map((await read()) as [string, number][]).get('subgraphs.reviews.tls.cert');
  while ((await ofClient()) !== lateEnd.getTime() / 1_000) await waitForTurns();
  // Connections to Redis use the certificate of the start.
  expect(new Map((await read()) as [string, number][]).get('redis.tls.certificate')).toBe(
    soonEnd.getTime() / 1_000,
  );
  await certificates.close();
  expect(timers.pendingMs()).toEqual([]);
});

test('files that are missing are refused together', async () => {
  const refused = start({
    listen: { tls: { cert: '/none/cert.pem', key: '/none/key.pem' } },
    subgraphs: { all: { tls: { ca: '/none/ca.pem' } }, products: {} },
    redis: { url: 'rediss://redis.test', tls: { certificate: '/none/redis.pem', key: '/none/redis.key' } },
  });
  await expect(refused).rejects.toMatchObject({
    problems: [
      ['listen.tls.cert', 'certificate file /none/cert.pem'],
      ['listen.tls.key', 'key file /none/key.pem'],
      ['subgraphs.all.tls.ca', 'file of certificate authorities /none/ca.pem'],
      ['redis.tls.certificate', 'certificate file /none/redis.pem'],
      ['redis.tls.key', 'key file /none/redis.key'],
    ].map(([path, file]) => ({ path, message: `cannot be used: The ${file} does not exist`, expected: '' })),
  });
});
