import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { type DemoSubgraphs, startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { type GatewayProcess, noKeepAlive, startGatewayProcess } from '../harness/gatewayProcess.ts';
import { postJson } from '../harness/postJson.ts';
import { readEvents } from '../harness/readEvents.ts';
import { type DedicatedRedisServer, downloadTimeoutMs, startDedicatedRedis } from '../harness/redis.ts';
import { isLongRun } from '../harness/seeds.ts';
import { createTemporaryDirectory } from '../harness/suiteResources.ts';
import { demoSupergraphFile, startTestGateway } from '../harness/testGateway.ts';

const testTimeoutMs = 600_000;

const count = isLongRun ? 1_000 : 60;
const query =
  'query ($id: ID!, $first: Int!) { product(id: $id) { recommended(first: $first) { id name } } }';
/** Different for each number, so that no two jobs are equal. */
const variablesOf = (number: number) => ({
  id: `p${1 + (number % 100)}`,
  first: 1 + Math.floor(number / 100),
});

let server: DedicatedRedisServer;
let subgraphs: DemoSubgraphs;
beforeAll(async () => {
  // Everything that Redis has acknowledged must survive a crash.
  server = await startDedicatedRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
  subgraphs = await startDemoSubgraphs({ ports: 0 });
}, downloadTimeoutMs);
afterAll(async () => {
  for (const gateway of running) await gateway[Symbol.asyncDispose]();
  await subgraphs.close();
  await server[Symbol.asyncDispose]();
});

/** The gateways of the tests so far that have not died. */
const running: GatewayProcess[] = [];

/** Two running gateways. One of an earlier test is used again, because each takes a second of CPU time to start. */
async function start(): Promise<readonly [GatewayProcess, GatewayProcess]> {
  const config: GatewayOptions = {
    supergraph: { file: demoSupergraphFile, watch: false },
    redis: { url: server.url },
    batching: { acrossRequests: false },
    enrichment: {
      mode: 'always',
      bounds: { max: '1m' },
      tokens: { expireAfter: '10m' },
      // Longer than a slow machine stands still.
      jobs: { reclaimAfter: '5s', enqueueTimeout: '30s' },
    },
    subgraphs: {
      // Longer than the test: hanging calls end with their process.
      all: { timeouts: { attempt: '5m', deadline: '5m' }, concurrency: { queue: count } },
      ...Object.fromEntries(subgraphs.all.map(({ name, url }) => [name, { url }])),
    },
  };
  const missing = Array.from({ length: 2 - running.length }, () => startGatewayProcess(config));
  running.push(...(await Promise.all(missing)));
  return running as unknown as readonly [GatewayProcess, GatewayProcess];
}

async function sendOperation(
  url: string,
  number: number,
  budget: string,
): Promise<{
  readonly data: { readonly product: { readonly recommended: unknown } };
  readonly extensions?: { readonly tributary: { readonly enrichment: { readonly token: string } } };
}> {
  const response = await postJson(
    url,
    { query, variables: variablesOf(number) },
    { ...noKeepAlive, 'tributary-budget': budget },
  );
  return (await response.json()) as Awaited<ReturnType<typeof sendOperation>>;
}

/** The data of all updates of a token; the errors of an update that has any. */
async function fetchUpdates(url: string, token: string): Promise<readonly unknown[]> {
  const response = await fetch(new URL(`/enrichments/${token}`, url), {
    headers: { ...noKeepAlive, accept: 'text/event-stream' },
  });
  const events = readEvents(await response.text());
  if (events.at(-1)?.event !== 'complete')
    throw new Error(`The stream of updates ended without \`complete\` (status ${response.status}).`);
  return events.slice(0, -1).map(({ data: text }) => {
    const { data, errors } = JSON.parse(text);
    return errors ?? data;
  });
}

/** Calls `send` for each number, at most 50 at a time. */
async function forEachNumber<T>(send: (number: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      for (let number = next++; number < count; number = next++) results[number] = await send(number);
    }),
  );
  return results;
}

// Each process is taken for dead after `reclaimAfter` at the earliest, in real time. The first case alone is also in
// enrichmentRedis.test.ts.
test.each([
  ...(isLongRun ? [{ title: 'dies', isRedisRestarted: false }] : []),
  { title: 'and Redis die', isRedisRestarted: true },
])(
  `when a process $title, another one publishes all ${count} pending fields exactly once`,
  async ({ isRedisRestarted }) => {
    const [first, second] = await start();
    const { faults } = subgraphs.recommendations;
    faults.replace({ targets: { 'Product.recommended': { hangRate: 1 } } });
    const answers = await forEachNumber((number) => sendOperation(first.url, number, '0ms'));
    const tokens = answers.map(({ extensions }) => extensions?.tributary.enrichment.token ?? '');
    expect(answers.filter(({ data }) => data.product.recommended !== null)).toEqual([]);
    expect(new Set(tokens).size).toBe(count);

    // The calls of the second process are answered.
    faults.replace({ targets: {} });
    running.shift();
    await first[Symbol.asyncDispose]();
    if (isRedisRestarted) {
      await server.kill();
      await server.restart();
    }
    const updates = await forEachNumber((number) => fetchUpdates(second.url, tokens[number] ?? ''));
    const whole = await forEachNumber((number) => sendOperation(second.url, number, '1m'));
    const expected = whole.map(({ data }) => [data.product.recommended]);
    expect(updates).toEqual(expected);
    // A second read returns the same updates.
    expect(await forEachNumber((number) => fetchUpdates(second.url, tokens[number] ?? ''))).toEqual(expected);
  },
  testTimeoutMs,
);

test(
  'a process that has no supergraph yet leaves the jobs of another one as they are',
  async () => {
    const folder = createTemporaryDirectory();
    const file = join(folder, 'supergraph.graphql');
    const config: Partial<GatewayOptions> = {
      redis: { url: server.url, keyPrefix: 'without-supergraph:' },
      batching: { acrossRequests: false },
      enrichment: {
        mode: 'always',
        bounds: { max: '1m' },
        tokens: { expireAfter: '10m' },
        jobs: { enqueueTimeout: '30s' },
      },
    };
    const first = await startTestGateway({ config });
    const { data } = await sendOperation(first.url, 0, '1m');
    first.subgraphs.recommendations.faults.replace({ targets: { 'Product.recommended': { hangRate: 1 } } });
    const { extensions } = await sendOperation(first.url, 0, '0ms');
    const token = extensions?.tributary.enrichment.token ?? '';
    // Its job is due at once.
    await first.close();

    await using second = await startTestGateway({
      config: { ...config, supergraph: { file, watch: true } },
    });
    const answer = await fetch(new URL('/jobs', second.adminUrl));
    expect(await answer.json()).toMatchObject({ jobs: [{ state: 'waiting' }] });
    await copyFile(demoSupergraphFile, file);
    expect(await fetchUpdates(second.url, token)).toEqual([data.product.recommended]);
  },
  testTimeoutMs,
);
