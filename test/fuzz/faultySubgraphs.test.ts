import process from 'node:process';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { SubgraphState } from '../../gateway/subgraphs/policies/callPolicies.ts';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import type { Random } from '../../subgraphs/shared/random.ts';
import { createCaseRandom } from '../harness/fuzzSeeds.ts';
import { noKeepAlive } from '../harness/gatewayProcess.ts';
import { type CannedAnswer, type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { type PausableProxy, type ProxyFault, startPausableProxy } from '../harness/pausableProxy.ts';
import { chooseSeeds } from '../harness/seeds.ts';
import { longCallTimeouts } from '../harness/testGateway.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

/** Seeds of random faults, about a second each: `npm run test:long` takes two hours for them. To run one seed:
 *  FUZZ_SEED=17 FUZZ_COUNT=1. */
const seeds = chooseSeeds('FUZZ', { perRun: 3, pool: 60, long: 7_200 });
const stepsPerSeed = 5;
const connections = 4;
const faulty = ['lone', 'pair'] as const;

const subgraphs = [
  {
    name: 'catalog',
    sdl: 'type Query { top: Product } type Product @key(fields: "id") { id: ID! name: String }',
    resolvers: { Query: { top: () => ({ id: '1', name: 'Pan' }) } },
  },
  ...faulty.map((name) => ({
    name,
    sdl: `
      type Query { ${name}Root(n: Int): String }
      type Mutation { ${name}Write(n: Int): String }
      type Product @key(fields: "id") { id: ID! ${name}: String }
    `,
    resolvers: {
      Query: { [`${name}Root`]: () => name },
      Mutation: { [`${name}Write`]: () => name },
      Product: { [name]: () => name },
    },
  })),
];

const policies = {
  timeouts: { attempt: '100ms', deadline: '1s' },
  connections,
  retry: { minDelay: '5ms', maxDelay: '20ms', on: ['connection', 'timeout', 429, 502, 503, 504] },
  breaker: { minCalls: 5, openFor: '20ms' },
  hedge: { enabled: true, after: '30ms', budgetRatio: 0.5 },
  concurrency: { max: 4, queue: 5 },
} as const;

let gateway: InlineGateway;
const proxies: PausableProxy[] = [];
const warnings: Error[] = [];
const onWarning = (warning: Error): void => void warnings.push(warning);
let resourcesAtStart: Resources;

beforeAll(async () => {
  process.on('warning', onWarning);
  // The first logger of the process adds a listener of `exit`.
  createLogger('silent');
  // The servers of an earlier suite of this worker may still be closing.
  await waitUntil(() => countResources().servers === 0);
  resourcesAtStart = countResources();
  const pairUrls: string[] = [];
  gateway = await startInlineGateway({
    subgraphs,
    config: {
      subgraphs: {
        all: { timeouts: longCallTimeouts },
        lone: { ...policies, breaker: { ...policies.breaker, scope: 'coordinate' } },
        // Filled before the gateway reads it: the ports are known when the subgraphs have started.
        pair: { ...policies, urls: pairUrls },
      },
    },
    async addressOf(name, url) {
      if (name === 'catalog') return url;
      const started = await Promise.all(
        (name === 'pair' ? [1, 2] : [1]).map(() => startPausableProxy(Number(new URL(url).port))),
      );
      proxies.push(...started);
      const urls = started.map(({ port }) => `http://127.0.0.1:${port}/graphql`);
      if (name === 'pair') pairUrls.push(...urls);
      return urls[0] as string;
    },
  });
});
afterAll(() => void process.off('warning', onWarning));

interface Resources {
  readonly timers: number;
  readonly sockets: number;
  readonly servers: number;
  readonly listeners: Readonly<Record<string, number>>;
}

function countResources(): Resources {
  const active = process.getActiveResourcesInfo();
  const count = (name: string): number => active.filter((one) => one === name).length;
  return {
    timers: count('Timeout'),
    sockets: count('TCPSocketWrap'),
    servers: count('TCPServerWrap'),
    listeners: Object.fromEntries(
      process.eventNames().map((name) => [String(name), process.listenerCount(name)]),
    ),
  };
}

async function statesOf(): Promise<readonly SubgraphState[]> {
  const response = await fetch(new URL('/subgraphs', gateway.adminUrl), { headers: noKeepAlive });
  return ((await response.json()) as { subgraphs: readonly SubgraphState[] }).subgraphs;
}

/** Repairs everything, and resolves when every field is answered and no call is under way. */
async function settle(): Promise<void> {
  for (const proxy of proxies) await proxy.setFault({ kind: 'none' });
  for (const name of faulty) gateway.subgraph(name).reset();
  const query = '{ top { name lone pair } loneRoot pairRoot }';
  while ((await gateway.execute(query, { headers: noKeepAlive })).body.errors !== undefined);
  while ((await statesOf()).some(({ running, queued }) => running + queued > 0));
}

/** Waits until something holds, up to a limit. Sockets take a moment to close. */
async function waitUntil(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 3_000 && !holds(); turn++)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

const nothing: Resources = { timers: 0, sockets: 0, servers: 0, listeners: {} };

/** What has come since `before`, when it is nothing, or after a limit. */
async function addedSince(before: Resources): Promise<Resources> {
  await waitUntil(() => isDeepStrictEqual(compareWith(before), nothing));
  return compareWith(before);
}

/** Fewer timers and listeners are no change: those of proxies end at their next turn, and the loggers of earlier suites of
 *  this process may be collected at any time. */
function compareWith(before: Resources): Resources {
  const { timers, sockets, servers, listeners } = countResources();
  const added = Object.entries(listeners).map(
    ([name, count]) => [name, count - (before.listeners[name] ?? 0)] as const,
  );
  return {
    timers: Math.max(0, timers - before.timers),
    sockets: sockets - before.sockets,
    servers: servers - before.servers,
    listeners: Object.fromEntries(added.filter(([, count]) => count > 0)),
  };
}

/** Calls that the subgraphs have received, and of which the gateway still waits for the response. */
let openCalls = 0;

const hangingCalls = (): number =>
  proxies.reduce((sum, { hangingConnections }) => sum + hangingConnections, openCalls);

function chooseProxyFault(random: Random): ProxyFault {
  return random.pick<ProxyFault>([
    { kind: 'none' },
    { kind: 'refuse' },
    { kind: 'reset' },
    { kind: 'hang' },
    { kind: 'drip', everyMs: random.pick([1, 20]) },
    { kind: 'delay', ms: random.pick([5, 60, 150]) },
  ]);
}

function chooseAnswer(random: Random): CannedAnswer | undefined {
  const withStatus = (status: number, headers = {}): CannedAnswer => ({
    kind: 'json',
    status,
    headers,
    body: { errors: [{ message: 'no' }] },
  });
  return random.pick<CannedAnswer | undefined>([
    undefined,
    undefined,
    withStatus(503),
    withStatus(503, { 'retry-after': 'soon' }),
    withStatus(429, { 'retry-after': '0' }),
    withStatus(500),
    { kind: 'json', body: 'no object' },
    { kind: 'hang' },
    { kind: 'reset' },
  ]);
}

const allowedCodes = [
  'SUBGRAPH_TIMEOUT',
  'SUBGRAPH_UNREACHABLE',
  'SUBGRAPH_ERROR',
  'SUBGRAPH_INVALID_RESPONSE',
  'CIRCUIT_OPEN',
  'OVERLOADED',
  'DEADLINE_EXCEEDED',
];

interface Body {
  readonly data: { readonly top?: Record<string, unknown> } & Record<string, unknown>;
  readonly errors?: readonly { readonly path: readonly string[]; readonly extensions: { code: string } }[];
}

/** Each field of a faulty subgraph has its value, or is null with an error. The others are never harmed. */
function checkBody({ data, errors = [] }: Body): void {
  const { top = { name: 'Pan' }, ...roots } = data;
  const fields = { ...roots, ...top };
  const failed = new Set(errors.map(({ path }) => path.at(-1)));
  for (const [name, value] of Object.entries(fields)) {
    const expected = name === 'name' ? 'Pan' : name.replace(/Root|Write/, '');
    expect([name, value]).toEqual([name, failed.has(name) ? null : expected]);
  }
  for (const { extensions } of errors) expect(allowedCodes).toContain(extensions.code);
}

async function sendRequest(random: Random, n: number): Promise<void> {
  const name = random.pick(faulty);
  const kind = random.pick(['query', 'query', 'mutation', 'deferred', 'disconnect'] as const);
  const query = `{ top { name ${random.chance(0.5) ? 'lone pair' : name} } ${name}Root(n: ${n}) }`;
  const turns = random.integer(0, 40);
  if (kind === 'deferred') {
    await using answer = await gateway.executeIncrementally(
      `{ top { name ... @defer { lone } ... @defer { pair } } ${name}Root(n: ${n}) }`,
    );
    if (random.chance(0.5)) await waitForTurns(turns);
    else await answer.remaining();
    return;
  }
  if (kind === 'disconnect') {
    const leaving = new AbortController();
    const answer = gateway.execute(query, { signal: leaving.signal, headers: noKeepAlive });
    const settled = Promise.allSettled([answer]);
    await waitForTurns(turns);
    leaving.abort();
    await settled;
    return;
  }
  const operation = kind === 'query' ? query : `mutation { ${name}Write(n: ${n}) }`;
  const { status, body } = await gateway.execute(operation, { headers: noKeepAlive });
  expect(status).toBe(200);
  checkBody(body as Body);
}

test.each(seeds.all)(
  'random faults of subgraphs harm no other field, and leave no call or timer behind (seed %i)',
  async (seed) => {
    const random = createCaseRandom(seed);
    await settle();
    const before = countResources();
    for (let step = 0; step < stepsPerSeed; step++) {
      for (const proxy of proxies) await proxy.setFault(chooseProxyFault(random));
      for (const name of faulty) {
        const answers = random.sample([chooseAnswer(random), chooseAnswer(random), undefined], 2);
        gateway.subgraph(name).answerWith(({ ended }) => {
          openCalls += 1;
          void ended.then(() => {
            openCalls -= 1;
          });
          return random.pick(answers);
        });
      }
      const requests = Array.from({ length: random.integer(1, 15) }, (_, n) => sendRequest(random, n));
      for (const result of await Promise.allSettled(requests))
        if (result.status === 'rejected') throw result.reason;
      await waitUntil(() => hangingCalls() === 0);
      expect(hangingCalls()).toBe(0);
    }
    await settle();
    expect(await addedSince({ ...before, sockets: countResources().sockets })).toEqual({
      ...nothing,
      sockets: expect.any(Number),
      servers: expect.any(Number),
    });
    // Each pool has as many connections at most, for primary and for deferred calls.
    for (const { openConnections } of proxies) expect(openConnections).toBeLessThanOrEqual(2 * connections);
    expect(warnings).toEqual([]);
  },
);

test('a gateway that is closed after the faults leaves no socket, timer or listener', async () => {
  await gateway.close();
  while (proxies.some(({ openConnections }) => openConnections > 0)) await waitForTurns();
  for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
  expect(await addedSince(resourcesAtStart)).toEqual(nothing);
});
