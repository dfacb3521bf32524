import { expect, test } from '@jest/globals';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { ManualInterval } from '../harness/manualInterval.ts';
import { exchange, RawConnection, type RawResponse } from '../harness/rawHttp.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { transports } from '../harness/transports.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { Peer } from '../harness/webSocketPeer.ts';

const subgraphs = [
  {
    name: 'shop',
    sdl: `
      type Query { product(id: ID = "1"): Product ping: Int broken: Int price: Int mandatory: Int! }
      type Mutation { write: Int }
      type Subscription { priceChanged: Product }
      type Product @key(fields: "id") { id: ID! name: String }
    `,
    resolvers: {
      Query: {
        product: (_: unknown, { id }: { id: string }) => ({ id, name: 'Pan' }),
        ping: () => 1,
        price: () => 5,
        broken: () => {
          throw new Error('broken');
        },
        mandatory: () => {
          throw new Error('mandatory');
        },
      },
      Mutation: { write: () => 1 },
      Product: { __resolveReference: (product: { id: string }) => ({ ...product, name: 'Pan' }) },
    },
  },
  {
    name: 'reviews',
    sdl: 'type Query { other: Int } type Product @key(fields: "id") { id: ID! rating: Int failing: Int advice: Int }',
    resolvers: {
      Product: {
        rating: () => 4,
        advice: () => 5,
        failing: () => {
          throw new Error('failing');
        },
      },
    },
  },
];

interface Line {
  readonly msg: string;
  readonly requestId?: string;
  readonly [field: string]: unknown;
}

const idle = { eventLoopDelayMs: 0, memory: 0.1 };
const interval = new ManualInterval(500);
let load = idle;
const lines: Line[] = [];
const gateway = await startInlineGateway({
  subgraphs,
  config: {
    telemetry: { metrics: { operationNames: 'all' } },
    overload: {},
    limits: { batchedOperations: 10, rate: { cost: 10, window: '1h', key: 'header:x-limited' } },
    enrichment: {
      fields: { 'Product.advice': { budget: '10s' } },
      jobs: { attempts: 2, backoff: { base: '1ms', max: '1ms' } },
    },
    subgraphs: { all: { retry: { enabled: false } } },
    cache: { rules: { 'Query.price': { maxAge: '1h' } } },
    subscriptions: { topics: { 'Subscription.priceChanged': { topic: 'prices' } } },
  },
  dependencies: {
    timers: interval,
    load: { start: () => {}, readSample: () => load, stop: () => {} },
    logger: createLogger('info', { write: (line: string) => void lines.push(JSON.parse(line)) }),
  },
});
disposeAfterSuite(gateway);

const json = { 'content-type': 'application/json', accept: 'application/json' };
let clients = 0;
const newClient = (): string => {
  clients += 1;
  return `client ${clients}`;
};

/** Sends the operation of a new client, unless the headers say whose it is. */
const post = (body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<RawResponse> =>
  exchange(gateway.url, {
    headers: { ...json, 'x-limited': newClient(), ...headers },
    body: JSON.stringify(body),
  });

const times = async (count: number, run: () => Promise<unknown>): Promise<void> => {
  for (let index = 0; index < count; index++) await run();
};

/** The samples of a metric: its labels, and its value. */
async function samplesOf(name: string): Promise<Record<string, number>> {
  const { body } = await exchange(gateway.adminUrl, { method: 'GET', path: '/metrics' });
  const samples = body.matchAll(new RegExp(`^${name}(\\{.*\\})? (\\S+)$`, 'gm'));
  return Object.fromEntries(Array.from(samples, ([, labels = '', value]) => [labels, Number(value)]));
}

/** The number of requests by operation, type and outcome, without outcomes that did not happen. */
async function countRequests(): Promise<Record<string, number>> {
  const all = Object.entries(await samplesOf('tributary_requests_total'));
  const samples = all.filter(([, count]) => count !== 0);
  return Object.fromEntries(
    samples.map(([labels, count]) => [
      labels.replace(/^.operation="(.*)",type="(.*)",outcome="(.*)".$/, '$1 $2 $3'),
      count,
    ]),
  );
}

/** Waits for requests that end after their client has seen the end. */
async function requestsHaveEnded(): Promise<void> {
  while ((await samplesOf('tributary_requests_running'))[''] !== 0) await waitForTurns(1);
}

test('1,000 requests of every kind are counted exactly, and each has one line in the access log', async () => {
  await times(324, () => post({ query: 'query Plain { ping }' }));
  await times(100, () => post({ query: 'query Cached { price }' }));
  await times(50, () => post({ query: 'mutation Write { write }' }));
  await times(50, () => post({ query: 'query Partial { ping broken }' }));
  await times(50, () => post({ query: 'query Failed { mandatory }' }));
  await times(100, () =>
    post(
      { query: 'query Deferred { product { id ... @defer { rating } } }' },
      { accept: 'multipart/mixed;deferSpec=20220824' },
    ),
  );
  await times(50, () =>
    post(
      { query: 'query DeferredPartial { product { id ... @defer { failing } } }' },
      { accept: 'multipart/mixed;deferSpec=20220824' },
    ),
  );
  await times(25, () => post([{ query: 'query Batched { ping }' }, { query: 'query Wrong { wrong }' }]));
  await times(50, () => post({ query: 'query Wrong { wrong }' }));
  await times(25, () => post({ query: '{' }));
  await times(25, () => exchange(gateway.url, { method: 'PATCH' }));
  await times(51, () => post({ query: 'query Limited { ping }' }, { 'x-limited': 'limited' }));
  load = { eventLoopDelayMs: 10_000, memory: 0.1 };
  await times(3, () => interval.fire());
  await times(49, () => post({ query: 'query Shed { ping }' }));
  load = idle;
  await times(12, () => interval.fire());
  gateway.subgraph('shop').answerWith(() => ({ kind: 'hang' }));
  await times(25, async () => {
    const calls = gateway.subgraph('shop').calls.length;
    await using connection = await RawConnection.open(gateway.url);
    connection.send({
      headers: { ...json, 'x-limited': newClient() },
      body: '{"query":"query Aborted { ping }"}',
    });
    await gateway.subgraph('shop').waitForCalls(calls + 1);
  });
  await requestsHaveEnded();
  gateway.subgraph('shop').answerWith(undefined);
  await using socket = await Peer.ready(gateway.url, undefined, { headers: { 'x-limited': 'socket' } });
  socket.subscribe('subscription Prices { priceChanged { id } }');
  while ((await samplesOf('tributary_open_streams'))[''] !== 1) await waitForTurns(1);
  gateway.publish('prices', { __typename: 'Product', id: '1' });
  await socket.next();
  socket.send({ id: '1', type: 'complete' });
  await requestsHaveEnded();

  const expected = {
    'Plain query ok': 324,
    'Cached query ok': 100,
    'Write mutation ok': 50,
    'Partial query partial': 50,
    'Failed query error': 50,
    'Deferred query ok': 100,
    'DeferredPartial query partial': 50,
    'Batched query ok': 25,
    'Limited query ok': 10,
    'Limited query limited': 41,
    'Aborted query aborted': 25,
    'Prices subscription ok': 1,
    // Invalid items of batches, invalid operations, syntax errors and another method.
    'other unknown refused': 25 + 50 + 25 + 25,
    'other unknown shed': 49,
  };
  expect(await countRequests()).toEqual(expected);
  const logged = Map.groupBy(
    lines.filter(({ msg }) => msg === 'request'),
    ({ operation = 'other', type, outcome }) => `${operation} ${type} ${outcome}`,
  );
  expect(Object.fromEntries(Array.from(logged, ([key, { length }]) => [key, length]))).toEqual(expected);
  const total = Object.values(expected).reduce((sum, count) => sum + count, 0);
  expect(total).toBe(1_000);
  const counted = Object.values(await samplesOf('tributary_request_seconds_count'));
  expect(counted.reduce((sum, count) => sum + count, 0)).toBe(1_000);
  // All but the aborted ones.
  const firstPayloads = Object.values(await samplesOf('tributary_first_payload_seconds_count'));
  expect(firstPayloads.reduce((sum, count) => sum + count, 0)).toBe(975);
});

test('an operation is counted once over every transport, with a line that tells what its client got', async () => {
  for (const [name, send] of transports) {
    const before = await countRequests();
    lines.length = 0;
    await send(gateway.url, { query: 'query Everywhere { ping }' });
    await requestsHaveEnded();
    const { 'Everywhere query ok': count = 0 } = before;
    expect([name, await countRequests()]).toEqual([name, { ...before, 'Everywhere query ok': count + 1 }]);
    expect([name, lines]).toEqual([
      name,
      [
        expect.objectContaining({
          level: 30,
          msg: 'request',
          requestId: expect.any(String),
          operation: 'Everywhere',
          clientAddress: '127.0.0.1',
          type: 'query',
          outcome: 'ok',
          bytes: expect.any(Number),
          firstPayloadMs: expect.any(Number),
          durationMs: expect.any(Number),
          subgraphMs: expect.any(Number),
        }),
      ],
    ]);
  }
});

test('the access line has the id and the trace of the request, the name of the client, and the status and size of the response', async () => {
  lines.length = 0;
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const answer = await post(
    { query: 'query Named { product { id rating } }' },
    {
      'x-request-id': 'request-1',
      traceparent: `00-${trace}-b7ad6b7169203331-01`,
      'apollographql-client-name': 'web',
      'graphql-client-version': '1.2.3',
    },
  );
  await requestsHaveEnded();
  expect(answer.headers.get('x-request-id')).toBe('request-1');
  expect(lines).toEqual([
    {
      level: 30,
      time: expect.any(Number),
      msg: 'request',
      requestId: 'request-1',
      traceId: trace,
      operation: 'Named',
      type: 'query',
      client: 'web',
      clientVersion: '1.2.3',
      clientAddress: '127.0.0.1',
      status: 200,
      outcome: 'ok',
      firstPayloadMs: expect.any(Number),
      durationMs: expect.any(Number),
      subgraphMs: expect.any(Number),
      bytes: Buffer.byteLength(answer.body),
    },
  ]);
  const { subgraphMs, durationMs, firstPayloadMs } = lines[0] as Line;
  expect(Number(subgraphMs)).toBeGreaterThan(0);
  expect(Number(durationMs)).toBeGreaterThanOrEqual(Number(subgraphMs));
  expect(Number(durationMs)).toBeGreaterThanOrEqual(Number(firstPayloadMs));
});

test('a malformed batch counts as refused, not as a failure of the gateway', async () => {
  lines.length = 0;
  const statuses: number[] = [];
  for (const body of [[], [{}], [null], [{ query: 5 }], [{ query: '{ ping }' }, { query: 5 }]])
    statuses.push((await post(body)).status);
  await requestsHaveEnded();
  expect(statuses).toEqual([400, 400, 400, 400, 400]);
  expect(lines.map(({ outcome }) => outcome)).toEqual([
    'refused',
    'refused',
    'refused',
    'refused',
    'refused',
  ]);
});

test('the access line has the address that a trusted proxy reports, also for a client that leaves before its body', async () => {
  const written: Line[] = [];
  await using proxied = await startInlineGateway({
    subgraphs,
    config: { listen: { port: 0, trustedProxies: ['127.0.0.1'] } },
    dependencies: {
      logger: createLogger('info', { write: (line: string) => void written.push(JSON.parse(line)) }),
    },
  });
  const headers = { ...json, 'x-forwarded-for': '192.0.2.1, 198.51.100.7' };
  await exchange(proxied.url, { headers, body: '{"query":"{ ping }"}' });
  {
    await using connection = await RawConnection.open(proxied.url);
    connection.send({ headers: { ...headers, 'content-length': '100' }, body: '{' });
  }
  const addresses = () =>
    written.flatMap(({ msg, clientAddress }) => (msg === 'request' ? [clientAddress] : []));
  while (addresses().length < 2) await waitForTurns(1);
  expect(addresses()).toEqual(['198.51.100.7', '198.51.100.7']);
});

test('the access line of a request that is refused before its execution has its trace too', async () => {
  lines.length = 0;
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const traced = { traceparent: `00-${trace}-b7ad6b7169203331-01` };
  await post({ query: '{ product' }, traced);
  await post({ query: '{ unknown }' }, traced);
  await post({ query: '{ ping }' }, { ...traced, 'content-type': 'text/plain' });
  await post({ query: '{ unknown }' }, { traceparent: 'invalid' });
  await requestsHaveEnded();
  expect(lines.map(({ outcome, traceId }) => [outcome, traceId])).toStrictEqual([
    ['refused', trace],
    ['refused', trace],
    ['refused', trace],
    ['refused', undefined],
  ]);
});

test('the id of a request is in its response, in every call of a subgraph, and in the lines of its calls and of its job', async () => {
  const change = (level: string): Promise<RawResponse> =>
    exchange(gateway.adminUrl, {
      method: 'PUT',
      path: '/log-level',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ level }),
    });
  await change('debug');
  lines.length = 0;
  const reviews = gateway.subgraph('reviews');
  const [shopCalls, reviewCalls] = [gateway.subgraph('shop').calls.length, reviews.calls.length];
  // Both attempts of the job fail.
  reviews.answerWith(() => ({ kind: 'json', status: 503, body: { errors: [{ message: 'busy' }] } }));
  const answer = await post(
    { query: 'query Correlated { product { id advice } }' },
    { 'x-request-id': 'correlated' },
  );
  expect([answer.headers.get('x-request-id'), JSON.parse(answer.body).data]).toEqual([
    'correlated',
    { product: { id: '1', advice: null } },
  ]);
  while (!lines.some(({ msg }) => msg.startsWith('An enrichment job'))) await waitForTurns(1);
  reviews.answerWith(undefined);
  await change('info');
  const calls = [...gateway.subgraph('shop').calls.slice(shopCalls), ...reviews.calls.slice(reviewCalls)];
  expect(calls.map(({ headers }) => headers['x-request-id'])).toEqual(Array(3).fill('correlated'));
  const isAccessLine = ({ msg }: Line): boolean => msg === 'request';
  expect(lines.filter(isAccessLine).map(({ requestId }) => requestId)).toEqual(['correlated']);
  const others = lines.filter((line) => !isAccessLine(line));
  expect(
    others.map(({ msg, requestId, subgraph, outcome }) => [msg, requestId, subgraph, outcome]),
  ).toStrictEqual([
    ['A call of a subgraph has ended', 'correlated', 'shop', 'ok'],
    ['A subgraph has begun to fail', 'correlated', 'reviews', undefined],
    ['A call of a subgraph has ended', 'correlated', 'reviews', 'http_error'],
    ['A call of a subgraph has ended', 'correlated', 'reviews', 'http_error'],
    ['An enrichment job has failed and is a dead letter', 'correlated', undefined, undefined],
  ]);
});
