import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { type DemoSubgraphs, startDemoSubgraphs } from '../../subgraphs/demo.ts';
import { type GatewayProcess, noKeepAlive, startGatewayProcess } from '../harness/gatewayProcess.ts';
import { readEvents } from '../harness/readEvents.ts';
import { type DedicatedRedisServer, startDedicatedRedis } from '../harness/redis.ts';
import { isLongRun } from '../harness/seeds.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';

// The first run on a machine may have to download the program.
const downloadTimeoutMs = 300_000;
const testTimeoutMs = 600_000;

const count = isLongRun ? 1_000 : 250;
const query =
  'query ($id: ID!, $first: Int!) { product(id: $id) { recommended(first: $first) { id name } } }';
/** Different for each number, so that no two are one job. */
const variablesOf = (number: number) => ({
  id: `p${1 + (number % 100)}`,
  first: 1 + Math.floor(number / 100),
});

let server: DedicatedRedisServer;
let subgraphs: DemoSubgraphs;
beforeAll(async () => {
  // What it has acknowledged it has again after a crash.
  server = await startDedicatedRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
}, downloadTimeoutMs);
afterAll(async () => await server[Symbol.asyncDispose]());

async function start(): Promise<readonly [GatewayProcess, GatewayProcess]> {
  subgraphs = await startDemoSubgraphs({ ports: 0 });
  const config: GatewayOptions = {
    supergraph: { file: demoSupergraphFile, watch: false },
    redis: { url: server.url },
    batching: { acrossRequests: false },
    enrichment: {
      mode: 'always',
      bounds: { max: '1m' },
      tokens: { expireAfter: '10m' },
      // A process that stands still for a while must not be thought to be dead.
      jobs: { takeOverAfter: '5s', handOverTimeout: '30s' },
    },
    subgraphs: {
      // Hanging calls are still on their way when their process dies.
      all: { timeouts: { attempt: '5m', deadline: '5m' }, concurrency: { queue: count } },
      ...Object.fromEntries(subgraphs.all.map(({ name, url }) => [name, { url }])),
    },
  };
  return [await startGatewayProcess(config), await startGatewayProcess(config)];
}

async function ask(
  url: string,
  number: number,
  budget: string,
): Promise<{
  readonly data: { readonly product: { readonly recommended: unknown } };
  readonly extensions?: { readonly tributary: { readonly enrichment: { readonly token: string } } };
}> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...noKeepAlive, 'content-type': 'application/json', 'tributary-budget': budget },
    body: JSON.stringify({ query, variables: variablesOf(number) }),
  });
  return (await response.json()) as Awaited<ReturnType<typeof ask>>;
}

/** All that comes for a token: a client that takes each update by its cursor once. An error is in the place of its
 *  data. */
async function pickUp(url: string, token: string): Promise<readonly unknown[]> {
  const response = await fetch(new URL(`/enrichments/${token}`, url), {
    headers: { ...noKeepAlive, accept: 'text/event-stream' },
  });
  const events = readEvents(await response.text());
  if (events.at(-1)?.event !== 'complete') throw new Error(`The updates do not end: ${response.status}`);
  return events.slice(0, -1).map(({ data: text }) => {
    const { data, errors } = JSON.parse(text);
    return errors ?? data;
  });
}

/** In a few connections: what is asked is the same, and the machine has two processors. */
async function inTurns<T>(run: (number: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      for (let number = next++; number < count; number = next++) results[number] = await run(number);
    }),
  );
  return results;
}

test.each([
  { title: 'dies', isRedisRestarted: false },
  { title: 'dies, and Redis with it,', isRedisRestarted: true },
])(
  `what a process leaves that $title is finished by another: ${count} places, none lost, none twice`,
  async ({ isRedisRestarted }) => {
    const [one, other] = await start();
    try {
      const { faults } = subgraphs.recommendations;
      faults.replace({ targets: { 'Product.recommended': { hangRate: 1 } } });
      const answers = await inTurns((number) => ask(one.url, number, '0ms'));
      const tokens = answers.map(({ extensions }) => extensions?.tributary.enrichment.token ?? '');
      expect(answers.filter(({ data }) => data.product.recommended !== null)).toEqual([]);
      expect(new Set(tokens).size).toBe(count);

      // What the other one asks for comes, from its first call on.
      faults.replace({ targets: {} });
      await kill(one);
      if (isRedisRestarted) {
        await server.kill();
        await server.restart();
      }
      const updates = await inTurns((number) => pickUp(other.url, tokens[number] ?? ''));
      const whole = await inTurns((number) => ask(other.url, number, '1m'));
      const expected = whole.map(({ data }) => [data.product.recommended]);
      expect(updates).toEqual(expected);
      // Who comes again finds the same.
      expect(await inTurns((number) => pickUp(other.url, tokens[number] ?? ''))).toEqual(expected);
    } finally {
      await kill(one);
      await kill(other);
      await subgraphs.close();
    }
  },
  testTimeoutMs,
);

const killed = new Set<GatewayProcess>();

async function kill(gateway: GatewayProcess): Promise<void> {
  if (killed.has(gateway)) return;
  killed.add(gateway);
  await gateway[Symbol.asyncDispose]();
}
