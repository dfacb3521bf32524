import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { GraphQLError } from 'graphql';
import { pino } from 'pino';
import type { SubgraphState } from '../../gateway/subgraphs/policies/callPolicies.ts';
import { ShopClock } from '../harness/cachedShop.ts';
import {
  type CannedAnswer,
  type InlineGateway,
  type InlineSubgraph,
  type RunningInlineSubgraph,
  startInlineGateway,
} from '../harness/inlineGateway.ts';
import { type PausableProxy, type ProxyFault, startPausableProxy } from '../harness/pausableProxy.ts';
import { scrapeSample } from '../harness/scrapeSample.ts';
import { type SubgraphProcess, startSubgraphProcess } from '../harness/subgraphProcess.ts';

/** Subgraphs with a root field `<name>Root` and a field `<name>` of products. */
const names = ['unstable', 'silent', 'opening', 'probed', 'stale', 'advice', 'paused', 'pair'] as const;

const subgraphs: readonly InlineSubgraph[] = [
  {
    name: 'catalog',
    sdl: `
      type Query { top: Product }
      type Product @key(fields: "id") { id: ID! name: String maker: Maker }
      type Maker @key(fields: "id") { id: ID! }
    `,
    resolvers: { Query: { top: () => ({ id: '1', name: 'Pan', maker: { id: 'm1' } }) } },
  },
  ...names.map((name) => ({
    name,
    sdl: `
      type Query { ${name}Root(n: Int): String ${name}Other: String }
      type Product @key(fields: "id") { id: ID! ${name}: String }
    `,
    resolvers: {
      Query: { [`${name}Root`]: () => `${name} root`, [`${name}Other`]: () => `${name} other` },
      Product: { [name]: () => `${name} 1` },
    },
  })),
  {
    name: 'parts',
    sdl: `
      type Query { sound: String broken: String }
      type Product @key(fields: "id") { id: ID! part: String }
      type Maker @key(fields: "id") { id: ID! mark: String }
    `,
    resolvers: {
      Query: {
        sound: () => 'sound',
        broken: () => {
          throw new GraphQLError('The field is broken.');
        },
      },
      Product: { part: () => 'part 1' },
      Maker: {
        mark: () => {
          throw new GraphQLError('The mark is broken.');
        },
      },
    },
  },
];

const noRetry = { retry: { enabled: false } } as const;
const opensAfter = (minCalls: number, openFor = '1h') => ({ ...noRetry, breaker: { minCalls, openFor } });
const shortDelays = { minDelay: '1ms', maxDelay: '1ms' } as const;

let gateway: InlineGateway;
let proxies: ReadonlyMap<string, PausableProxy>;
let paused: SubgraphProcess;
let pair: readonly [SubgraphProcess, SubgraphProcess];
const clock = new ShopClock();
const started = new AsyncDisposableStack();
const logged: { readonly msg: string; readonly subgraph?: string }[] = [];

beforeAll(async () => {
  const proxyByName = new Map<string, PausableProxy>();
  proxies = proxyByName;
  const startProcess = async (name: string) => started.use(await startSubgraphProcess(`${name}Root`, name));
  [paused, ...pair] = await Promise.all([startProcess('paused'), startProcess('pair'), startProcess('pair')]);
  gateway = await startInlineGateway({
    subgraphs,
    config: {
      subgraphs: {
        unstable: { retry: { ...shortDelays, budgetRatio: 1 }, breaker: { enabled: false } },
        silent: { timeouts: { attempt: '300ms' }, breaker: { enabled: false } },
        opening: opensAfter(3),
        probed: opensAfter(2, '50ms'),
        stale: opensAfter(2),
        advice: opensAfter(2),
        parts: { ...noRetry, breaker: { minCalls: 3, openFor: '1h', scope: 'coordinate' } },
        paused: { url: paused.url, timeouts: { attempt: '300ms' }, ...opensAfter(3, '50ms') },
        pair: { urls: pair.map(({ url }) => url), retry: shortDelays },
      },
      cache: {
        rules: {
          'Query.staleRoot': { maxAge: '5s', staleIfError: '10m' },
          'Product.stale': { maxAge: '5s', staleIfError: '10m' },
        },
      },
      enrichment: { mode: 'always', budget: '10s', fields: { 'Product.advice': {} } },
    },
    dependencies: {
      now: clock.now,
      logger: pino({ level: 'warn' }, { write: (line) => logged.push(JSON.parse(line)) }),
    },
    async addressOf(name, url) {
      if (name !== 'unstable' && name !== 'silent') return url;
      const proxy = started.use(await startPausableProxy(Number(new URL(url).port)));
      proxyByName.set(name, proxy);
      return `http://127.0.0.1:${proxy.port}/graphql`;
    },
  });
  started.use(gateway);
});
afterEach(async () => {
  gateway.reset();
  for (const proxy of proxies.values()) await proxy.setFault({ kind: 'none' });
});
afterAll(() => started.disposeAsync());

interface Body {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly {
    readonly path?: readonly unknown[];
    readonly extensions?: { readonly code?: string };
  }[];
  readonly extensions?: unknown;
}

async function execute(query: string): Promise<Body> {
  return (await gateway.execute(query)).body as Body;
}

const codesOf = ({ errors = [] }: Body): unknown[] =>
  errors.map(({ path, extensions }) => [path?.join('.'), extensions?.code]);

const proxyOf = (name: string): PausableProxy => proxies.get(name) as PausableProxy;

/** Answers with this status, and a body that is not GraphQL. */
const withStatus = (status: number, headers: Record<string, string> = {}): CannedAnswer => ({
  kind: 'json',
  status,
  headers,
  body: 'busy',
});

/** Executes until a response has no errors: when the circuit has closed, or an attempt was quick enough. */
async function executeUntilSound(query: string): Promise<Body> {
  for (;;) {
    const body = await execute(query);
    if (body.errors === undefined) return body;
  }
}

async function stateOf(name: string): Promise<SubgraphState | undefined> {
  const response = await fetch(new URL('/subgraphs', gateway.adminUrl));
  const { subgraphs: states } = (await response.json()) as { subgraphs: readonly SubgraphState[] };
  return states.find(({ subgraph }) => subgraph === name);
}

const sample = (name: string) => scrapeSample(gateway.adminUrl, name);

/** Lets the circuit of a subgraph open, by this many failures of its field `<name>Other`. */
async function openCircuit(subgraph: RunningInlineSubgraph, name: string, failures: number): Promise<void> {
  subgraph.answerWith(() => withStatus(500));
  for (let n = 0; n < failures; n++)
    expect(codesOf(await execute(`{ ${name}Other }`))).toEqual([[`${name}Other`, 'SUBGRAPH_UNREACHABLE']]);
}

describe('a subgraph that', () => {
  const faults: readonly (readonly [string, string, ProxyFault, string, number])[] = [
    ['refuses connections', 'unstable', { kind: 'refuse' }, 'SUBGRAPH_UNREACHABLE', 0],
    ['resets connections', 'unstable', { kind: 'reset' }, 'SUBGRAPH_UNREACHABLE', 4],
    ['accepts connections and never answers', 'silent', { kind: 'hang' }, 'SUBGRAPH_TIMEOUT', 2],
    ['drips its response', 'silent', { kind: 'drip', everyMs: 50 }, 'SUBGRAPH_TIMEOUT', 2],
  ];

  test.each(faults)('%s fails at its own paths only, and serves again afterwards', async (...parameters) => {
    const [, name, fault, code, connections] = parameters;
    const query = `{ ${name}Root top { name ${name} } }`;
    await proxyOf(name).setFault(fault);
    const body = await execute(query);
    expect(body.data).toEqual({ [`${name}Root`]: null, top: { name: 'Pan', [name]: null } });
    expect(codesOf(body)).toEqual([
      [`${name}Root`, code],
      [`top.${name}`, code],
    ]);
    expect(proxyOf(name).acceptedConnections).toBe(connections);
    await proxyOf(name).setFault({ kind: 'none' });
    expect((await executeUntilSound(query)).data).toEqual({
      [`${name}Root`]: `${name} root`,
      top: { name: 'Pan', [name]: `${name} 1` },
    });
  });

  test('answers with 503 is called a second time, and its fields fail if that fails too', async () => {
    const unstable = gateway.subgraph('unstable');
    const retries = 'tributary_subgraph_retries_total{subgraph="unstable"}';
    const before = await sample(retries);
    unstable.answerWith(() => withStatus(503));
    const body = await execute('{ top { name unstable } }');
    expect(body.data).toEqual({ top: { name: 'Pan', unstable: null } });
    expect(codesOf(body)).toEqual([['top.unstable', 'SUBGRAPH_UNREACHABLE']]);
    expect(unstable.calls.length).toBe(2);
    unstable.answerWith(() => (unstable.calls.length === 3 ? withStatus(503) : undefined));
    expect(await execute('{ top { unstable } }')).toEqual({ data: { top: { unstable: 'unstable 1' } } });
    expect(unstable.calls.length).toBe(4);
    expect((await sample(retries)) - before).toBe(2);
  });

  test('answers with 429 is called again at the time of its Retry-After, before the deadline only', async () => {
    const unstable = gateway.subgraph('unstable');
    unstable.answerWith(({ query }) =>
      unstable.calls.length === 1 || query.includes('Other')
        ? withStatus(429, { 'retry-after': query.includes('Other') ? '3600' : '0' })
        : undefined,
    );
    expect(await execute('{ unstableRoot }')).toEqual({ data: { unstableRoot: 'unstable root' } });
    expect(codesOf(await execute('{ unstableOther }'))).toEqual([['unstableOther', 'SUBGRAPH_ERROR']]);
    expect(unstable.calls.length).toBe(3);
  });

  test('sends a malformed Retry-After is reported once', async () => {
    const unstable = gateway.subgraph('unstable');
    unstable.answerWith(() => withStatus(503, { 'retry-after': 'soon' }));
    for (let n = 0; n < 2; n++) await execute('{ unstableRoot }');
    expect(logged.filter(({ msg }) => msg.includes('Retry-After'))).toMatchObject([
      { level: 40, subgraph: 'unstable', value: 'soon' },
    ]);
  });

  test('is called again sees how much less time is left', async () => {
    await proxyOf('unstable').setFault({ kind: 'delay', ms: 20 });
    const unstable = gateway.subgraph('unstable');
    unstable.answerWith(() => (unstable.calls.length === 1 ? withStatus(503) : undefined));
    await execute('{ unstableRoot }');
    const [first = 0, second = 0] = unstable.calls.map(({ headers }) =>
      Number(headers['tributary-deadline-ms']),
    );
    expect(second).toBeGreaterThan(0);
    expect(first - second).toBeGreaterThanOrEqual(20);
  });

  test('answers 60 % of its calls with 503 gets at most a quarter more calls than clients request', async () => {
    await using brownOut = await startInlineGateway({
      subgraphs: subgraphs.filter(({ name }) => name === 'opening'),
      config: { subgraphs: { opening: { breaker: { enabled: false }, retry: shortDelays } } },
    });
    const opening = brownOut.subgraph('opening');
    opening.answerWith(() => (opening.calls.length % 5 < 3 ? withStatus(503) : undefined));
    const requests = 200;
    for (let n = 0; n < requests; n += 10) {
      const queries = Array.from({ length: 10 }, (_, index) => `{ openingRoot(n: ${n + index}) }`);
      await Promise.all(queries.map((query) => brownOut.execute(query)));
    }
    expect(opening.calls.length).toBeGreaterThan(requests);
    expect(opening.calls.length).toBeLessThanOrEqual(1.25 * requests);
  });

  test('drips its response loses its connection when the client disconnects', async () => {
    const proxy = proxyOf('unstable');
    await proxy.setFault({ kind: 'drip', everyMs: 1_000 });
    const leaving = new AbortController();
    const answer = gateway.execute('{ unstableRoot }', { signal: leaving.signal });
    await gateway.subgraph('unstable').waitForCalls(1);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    while (proxy.openConnections > 0) await new Promise((resolve) => setImmediate(resolve));
    expect((await stateOf('unstable'))?.running).toBe(0);
  });
});

describe('an open circuit', () => {
  test('fails the fields of its subgraph without a call, and operators see it', async () => {
    const opening = gateway.subgraph('opening');
    await openCircuit(opening, 'opening', 3);
    const body = await execute('{ openingRoot top { name opening } }');
    expect(body.data).toEqual({ openingRoot: null, top: { name: 'Pan', opening: null } });
    expect(codesOf(body)).toEqual([
      ['openingRoot', 'CIRCUIT_OPEN'],
      ['top.opening', 'CIRCUIT_OPEN'],
    ]);
    expect(opening.calls.length).toBe(3);
    expect((await fetch(new URL('/health/ready', gateway.url))).status).toBe(200);
    expect(await stateOf('opening')).toMatchObject({
      circuit: 'open',
      openCircuits: [{ state: 'open' }],
      running: 0,
      queued: 0,
    });
    expect(await sample('tributary_subgraph_breaker_state{subgraph="opening"}')).toBe(2);
    expect(await sample('tributary_subgraph_breaker_state{subgraph="catalog"}')).toBe(0);
    expect(logged.filter(({ subgraph }) => subgraph === 'opening')).toMatchObject([
      { level: 40, msg: 'A subgraph has begun to fail', reason: 'http_error', status: 500 },
      { level: 40, msg: 'A circuit breaker opened: the subgraph is not called' },
    ]);
  });

  test.each([
    ['Mercurius', 400, {}],
    ['Strawberry', 200, { locations: [{ line: 1, column: 7 }] }],
  ])(
    'does not come from the invalid variables of one client, as %s reports them',
    async (_, status, error) => {
      const refused = { message: 'Variable "$when" got invalid value "never".', ...error };
      await using own = await startInlineGateway({
        subgraphs,
        config: { subgraphs: { opening: opensAfter(3) } },
      });
      own
        .subgraph('opening')
        .answerWith((call) =>
          call.variables?.n === -1
            ? { kind: 'json', status, body: { data: null, errors: [refused] } }
            : undefined,
        );
      const query = 'query ($n: Int) { openingRoot(n: $n) }';
      for (let i = 0; i < 5; i++) await own.execute(query, { variables: { n: -1 } });
      expect((await own.execute(query, { variables: { n: 1 } })).body).toEqual({
        data: { openingRoot: 'opening root' },
      });
    },
  );

  test('stays open after a probe that fails, and closes after one that succeeds', async () => {
    const probed = gateway.subgraph('probed');
    await openCircuit(probed, 'probed', 2);
    while (probed.calls.length < 3) await execute('{ probedRoot }');
    expect(codesOf(await execute('{ probedRoot }'))).toHaveLength(1);
    // On a slow machine, `openFor` is over already, and the next probe is due.
    expect((await stateOf('probed'))?.circuit).not.toBe('closed');
    probed.answerWith(undefined);
    expect(await executeUntilSound('{ probedRoot }')).toEqual({ data: { probedRoot: 'probed root' } });
    expect((await stateOf('probed'))?.circuit).toBe('closed');
    expect(await sample('tributary_subgraph_breaker_state{subgraph="probed"}')).toBe(0);
  });

  test('lets stale values be served for root fields and entities', async () => {
    const stale = gateway.subgraph('stale');
    const query = '{ staleRoot top { name stale } }';
    const data = { staleRoot: 'stale root', top: { name: 'Pan', stale: 'stale 1' } };
    expect(await execute(query)).toEqual({ data });
    await openCircuit(stale, 'stale', 2);
    const calls = stale.calls.length;
    clock.advanceSeconds(6);
    expect(await execute(query)).toEqual({
      data,
      extensions: {
        tributary: {
          stale: [['staleRoot'], ['top', 'stale']].map((path) => ({ path, ageMs: 6_000, reason: 'error' })),
        },
      },
    });
    expect(stale.calls.length).toBe(calls);
  });

  test('makes an enrichment of its subgraph pending at once, with a token', async () => {
    const advice = gateway.subgraph('advice');
    await openCircuit(advice, 'advice', 2);
    expect(await execute('{ top { name advice } }')).toEqual({
      data: { top: { name: 'Pan', advice: null } },
      extensions: {
        tributary: {
          enrichment: {
            token: expect.any(String),
            expiresInMs: expect.any(Number),
            pending: [{ path: ['top', 'advice'], reason: 'error' }],
          },
        },
      },
    });
    expect(advice.calls.length).toBe(2);
  });
});

describe('with a circuit for each coordinate, a broken', () => {
  const failures = 3;

  test('root field does not take the others of its subgraph with it', async () => {
    const parts = gateway.subgraph('parts');
    for (let n = 0; n < failures; n++)
      expect(codesOf(await execute('{ broken }'))).toEqual([['broken', 'SUBGRAPH_ERROR']]);
    expect(codesOf(await execute('{ broken }'))).toEqual([['broken', 'CIRCUIT_OPEN']]);
    expect(parts.calls.length).toBe(failures);
    expect(await execute('{ sound }')).toEqual({ data: { sound: 'sound' } });
    const both = await execute('{ sound alias: sound broken }');
    expect(both.data).toEqual({ sound: 'sound', alias: 'sound', broken: null });
    expect(codesOf(both)).toEqual([['broken', 'CIRCUIT_OPEN']]);
    expect(parts.calls.length).toBe(failures + 2);
  });

  test('entity type does not take the others with it that are fetched in the same call', async () => {
    const parts = gateway.subgraph('parts');
    const query = '{ top { part maker { mark } } }';
    const data = { top: { part: 'part 1', maker: { mark: null } } };
    for (let n = 0; n < failures; n++) expect((await execute(query)).data).toEqual(data);
    expect(parts.calls.map(({ variables }) => Object.keys(variables).length)).toEqual([2, 2, 2]);
    const body = await execute(query);
    expect(body.data).toEqual(data);
    expect(codesOf(body)).toEqual([['top.maker.mark', 'CIRCUIT_OPEN']]);
    expect(parts.calls.slice(failures).map(({ query: sent }) => sent)).toEqual([
      expect.not.stringContaining('Maker'),
    ]);
    expect(await stateOf('parts')).toMatchObject({
      openCircuits: expect.arrayContaining([{ coordinate: 'Maker', state: 'open' }]),
    });
  });
});

test('a subgraph whose process is paused slows no other operation down, and is used again when it continues', async () => {
  const query = '{ pausedRoot top { paused } }';
  const data = { pausedRoot: paused.pid, top: { paused: paused.pid } };
  expect((await executeUntilSound(query)).data).toEqual(data);
  paused.signal('SIGSTOP');
  let isOver = false;
  const waiting = Promise.all(
    Array.from({ length: 5 }, (_, n) => execute(`{ pausedRoot(n: ${n}) }`)),
  ).finally(() => {
    isOver = true;
  });
  let others = 0;
  for (; !isOver || others < 20; others++)
    expect(await execute('{ top { name } }')).toEqual({ data: { top: { name: 'Pan' } } });
  // The circuit opens at the third time-out; the others may not have been sent by then.
  for (const body of await waiting)
    expect(codesOf(body)).toEqual([
      ['pausedRoot', expect.stringMatching(/^(SUBGRAPH_TIMEOUT|CIRCUIT_OPEN)$/)],
    ]);
  expect((await stateOf('paused'))?.circuit).not.toBe('closed');
  paused.signal('SIGCONT');
  expect((await executeUntilSound(query)).data).toEqual(data);
});

test('of two endpoints, one that was killed costs no call, and all calls go to the other one', async () => {
  const [killed, other] = pair;
  const request = async (n: number): Promise<unknown> =>
    (await execute(`{ pairRoot(n: ${n}) }`)).data?.pairRoot;
  const before = new Set<unknown>();
  for (let n = 0; before.size < 2; n++) before.add(await request(n));
  expect(before).toEqual(new Set([killed.pid, other.pid]));
  await killed.kill();
  const values: unknown[] = [];
  for (let n = 0; n < 60; n++) values.push(await request(n));
  expect(new Set(values)).toEqual(new Set([other.pid]));
});

test('of two endpoints, one that is dead from the start costs no call, and the log says once that it was ejected', async () => {
  const lines: { readonly level: number; readonly msg: string }[] = [];
  // Nothing listens on port 1.
  const dead = 'http://127.0.0.1:1/graphql';
  await using started = await startInlineGateway({
    subgraphs: subgraphs.filter(({ name }) => name === 'pair'),
    config: { subgraphs: { pair: { urls: [dead, pair[1].url], retry: shortDelays } } },
    dependencies: { logger: pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) }) },
  });
  for (let n = 0; n < 10; n++)
    expect((await started.execute(`{ pairRoot(n: ${n}) }`)).body).toEqual({
      data: { pairRoot: pair[1].pid },
    });
  expect(lines.filter(({ msg }) => msg.startsWith('An endpoint'))).toEqual([
    expect.objectContaining({
      level: 40,
      subgraph: 'pair',
      url: dead,
      msg: 'An endpoint was ejected: other endpoints are called instead',
    }),
  ]);
});
