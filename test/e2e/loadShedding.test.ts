import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { InsightsData } from '../../gateway/insights/insightsData.ts';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { systemTimers, type Timers } from '../../gateway/time/timers.ts';
import { type EnrichedBody, startEnrichedShop } from '../harness/enrichedShop.ts';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { ManualInterval } from '../harness/manualInterval.ts';
import { exchange, exchangeJson } from '../harness/rawHttp.ts';
import { transports } from '../harness/transports.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { Peer } from '../harness/webSocketPeer.ts';

const idle = { eventLoopDelayMs: 0, memory: 0.1 };
const overloaded = { eventLoopDelayMs: 1_000, memory: 0.1 };

interface SheddingGateway {
  readonly gateway: InlineGateway;
  /** The lines of the log with a load. */
  readonly lines: readonly unknown[];
  /** Takes this many samples of the load. */
  sample(load: typeof idle, count: number): Promise<void>;
}

async function start(priorities: object): Promise<SheddingGateway> {
  const interval = new ManualInterval(500);
  let current = idle;
  const load = { start: () => {}, readSample: () => current, stop: () => {} };
  const lines: unknown[] = [];
  const logger = createLogger('info', {
    write: (line: string) => {
      const { level, msg, shed, eventLoopDelayMs, memory } = JSON.parse(line);
      if (memory !== undefined) lines.push({ level, msg, shed, eventLoopDelayMs, memory });
    },
  });
  const gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'shop',
        sdl: 'type Query { price: Int }',
        resolvers: { Query: { price: () => 5 } },
      },
    ],
    config: {
      overload: { priorities },
      limits: { batchedOperations: 10 },
      security: { identity: { header: 'x-user' } },
    },
    dependencies: { timers: interval, load, logger },
  });
  return {
    gateway,
    lines,
    async sample(next, count) {
      current = next;
      for (let index = 0; index < count; index++) await interval.fire();
    },
  };
}

/** Without configured operations, requests are shed before their operations are parsed. */
let early: SheddingGateway;
/** With them, the operation must be known, unless requests of every priority are shed. */
let late: SheddingGateway;

beforeAll(async () => {
  early = await start({ claims: { anonymous: 'normal', identified: 'critical' } });
  late = await start({ operations: { Checkout: 'critical', Report: 'background' } });
});

afterEach(async () => {
  for (const { sample } of [early, late]) await sample(idle, 12);
});

afterAll(async () => {
  for (const { gateway } of [early, late]) await gateway.close();
});

describe('while requests of normal priority are shed', () => {
  test('every transport refuses an operation with OVERLOADED, before and after it is parsed', async () => {
    const body = { query: 'query Browse { price }' };
    for (const [name, send] of transports) {
      for (const { gateway } of [early, late]) {
        expect([name, await send(gateway.url, body)]).not.toEqual([name, 'OVERLOADED']);
      }
    }
    await early.sample(overloaded, 2);
    await late.sample(overloaded, 2);
    for (const { gateway } of [early, late]) gateway.subgraph('shop').reset();
    for (const [name, send] of transports) {
      for (const { gateway } of [early, late]) {
        expect([name, await send(gateway.url, body)]).toEqual([name, 'OVERLOADED']);
        expect([name, await send(gateway.url, { query: '{ price }' })]).toEqual([name, 'OVERLOADED']);
      }
      const checkout = { query: 'query Checkout { price }' };
      expect([name, await send(late.gateway.url, checkout)]).not.toEqual([name, 'OVERLOADED']);
    }
    expect(early.gateway.subgraph('shop').calls).toEqual([]);
    expect(late.gateway.subgraph('shop').calls).toHaveLength(transports.length);
  });

  test('the refusal is 503 with retry-after in every form of HTTP', async () => {
    const query = '{ price }';
    const hash = createHash('sha256').update(query).digest('hex');
    const extensions = { persistedQuery: { version: 1, sha256Hash: hash } };
    for (const { gateway, sample } of [early, late]) {
      expect((await exchangeJson(gateway.url, { query, extensions })).status).toBe(200);
      await sample(overloaded, 2);
      const answers = [
        await exchangeJson(gateway.url, { query }),
        await exchangeJson(gateway.url, { extensions }),
        await exchangeJson(gateway.url, [{ query }, { query }]),
        await exchangeJson(gateway.url, { query }, { accept: 'text/event-stream' }),
        await exchangeJson(gateway.url, { query }, { accept: 'multipart/mixed;deferSpec=20220824' }),
        await exchange(gateway.url, {
          method: 'GET',
          path: `/graphql?query=${encodeURIComponent(query)}`,
          headers: { accept: 'application/json', 'apollo-require-preflight': '1' },
        }),
      ];
      for (const { status, headers, body } of answers) {
        expect([status, headers.get('retry-after')]).toEqual([503, '1']);
        expect(body).toContain('"code":"OVERLOADED"');
      }
      // A browser's EventSource never connects again after a status.
      const { status, headers, body } = await exchange(gateway.url, {
        method: 'GET',
        path: `/graphql?query=${encodeURIComponent(query)}`,
        headers: { accept: 'text/event-stream', 'apollo-require-preflight': '1' },
      });
      expect([status, headers.get('retry-after')]).toEqual([200, '1']);
      expect(body).toMatch(/^:\n\nevent: next\ndata: .*"code":"OVERLOADED".*\n\nevent: complete/);
    }
  });

  test('critical requests are served, and only those of clients that may claim it', async () => {
    const { gateway, sample } = early;
    await sample(overloaded, 2);
    const critical = { 'tributary-priority': 'critical' };
    expect((await exchangeJson(gateway.url, { query: '{ price }' }, critical)).status).toBe(503);
    expect((await exchangeJson(gateway.url, { query: '{ price }' }, { 'x-user': 'ada' })).status).toBe(503);
    const served = await exchangeJson(gateway.url, { query: '{ price }' }, { ...critical, 'x-user': 'ada' });
    expect([served.status, JSON.parse(served.body)]).toEqual([200, { data: { price: 5 } }]);
  });

  test('the gateway is not ready, and health and admin routes respond', async () => {
    const { gateway, sample } = late;
    const ready = async () => {
      const { status, body } = await exchange(gateway.adminUrl, { method: 'GET', path: '/health/ready' });
      return [status, JSON.parse(body).reasons];
    };
    const counted = async () => {
      const { status, body } = await exchange(gateway.adminUrl, { method: 'GET', path: '/metrics' });
      expect(status).toBe(200);
      const lines = body.matchAll(/^tributary_shed_total\{priority="(\w+)",reason="event_loop"\} (\d+)$/gm);
      return new Map(Array.from(lines, ([, priority, count]) => [priority, Number(count)]));
    };
    const before = await counted();
    await sample(overloaded, 1);
    expect(await ready()).toStrictEqual([200, undefined]);
    expect((await exchangeJson(gateway.url, { query: 'query Report { price }' })).status).toBe(503);
    expect((await exchangeJson(gateway.url, { query: '{ price }' })).status).toBe(200);
    await sample(overloaded, 2);
    expect(await ready()).toEqual([
      503,
      [{ code: 'OVERLOADED', message: expect.stringContaining('overload.eventLoopDelay') }],
    ]);
    const critical = { 'tributary-priority': 'critical' };
    expect((await exchangeJson(gateway.url, { query: '{ price }' }, critical)).status).toBe(503);
    expect((await exchange(gateway.url, { method: 'GET', path: '/health/live' })).status).toBe(200);
    const after = await counted();
    const added = ['background', 'normal', 'critical'].map(
      (priority) => (after.get(priority) ?? 0) - (before.get(priority) ?? 0),
    );
    expect(added).toEqual([1, 0, 1]);
    await sample(idle, 8);
    expect(await ready()).toStrictEqual([200, undefined]);
    expect((await exchangeJson(gateway.url, { query: '{ price }' })).status).toBe(200);
  });
});

test('the log has each further priority that is shed with the load, and the end after a minute', async () => {
  const { gateway, sample, lines } = await start({});
  await using _ = gateway;
  await sample(overloaded, 2);
  await sample(idle, 200);
  const msg = 'Requests of some priorities are shed (overload)';
  expect(lines).toEqual([
    { level: 40, msg, shed: ['background'], ...overloaded },
    { level: 40, msg, shed: ['background', 'normal'], ...overloaded },
    { level: 30, msg: 'No requests have been shed for a minute', shed: undefined, ...idle },
  ]);
});

test('further attempts at enrichment jobs of a shed priority wait until it is served again', async () => {
  const interval = new ManualInterval(500);
  let current = idle;
  const load = { start: () => {}, readSample: () => current, stop: () => {} };
  await using shop = await startEnrichedShop({
    enrichment: { fields: { 'Product.advice': { priority: 'BACKGROUND' }, 'Product.related': {} } },
    config: { overload: {}, subgraphs: { all: { retry: { enabled: false } } } },
    dependencies: { timers: interval, load },
  });
  const sample = async (next: typeof idle, count: number): Promise<void> => {
    current = next;
    for (let index = 0; index < count; index++) await interval.fire();
  };
  await sample(overloaded, 1);
  const failed = new Set<string>();
  shop.advice.answerWith(({ query }) => {
    if (failed.has(query)) return undefined;
    failed.add(query);
    return { kind: 'json', status: 503, body: {} };
  });
  const tokenOf = ({ extensions }: EnrichedBody) => extensions?.tributary?.enrichment?.token;
  const background = tokenOf(await shop.execute('{ top { advice { text } } }'));
  await shop.advice.waitForCalls(1);
  const normal = tokenOf(await shop.execute('{ top { related { id } } }'));
  expect((await shop.fetchUpdates(normal)).map(({ data }) => data)).toEqual([[{ id: '2' }]]);
  expect(shop.advice.calls.filter(({ query }) => query.includes('advice'))).toHaveLength(1);
  await sample(idle, 4);
  expect((await shop.fetchUpdates(background)).map(({ data }) => data)).toEqual([{ text: 'about 1' }]);
});

test('requests that wait too long leave one warning, and each that fails counts once, whether it shares its execution or not', async () => {
  const lines: string[] = [];
  const logger = createLogger('info', { write: (line: string) => void lines.push(line) } as never);
  let skippedMs = 0;
  const timers: Timers = {
    now: () => systemTimers.now() + skippedMs,
    // Without samples of the event loop, no more than 64 operations are executed at a time.
    after: (ms, run) => (ms === 20 ? () => {} : systemTimers.after(ms, run)),
  };
  const opened = Promise.withResolvers<void>();
  await using gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'shop',
        sdl: `
          type Query { price(of: Int): Int }
          type Subscription { priceChanged: Product }
          type Product @key(fields: "id") { id: ID! }
        `,
        resolvers: { Query: { price: () => opened.promise.then(() => 5) } },
      },
    ],
    config: {
      overload: {
        executionQueueTime: '1m',
        eventLoopDelay: '0s',
        memory: 1,
        // Requests that are read before they wait.
        priorities: { operations: { Other: 'critical' } },
      },
      subgraphs: { all: { timeouts: { attempt: '10m', deadline: '10m' } } },
      subscriptions: { topics: { 'Subscription.priceChanged': { topic: 'prices' } } },
    },
    dependencies: { timers, logger },
  });
  const send = async (of: number): Promise<string> =>
    (await exchangeJson(gateway.url, { query: 'query($of: Int) { price(of: $of) }', variables: { of } }))
      .body;
  const sumOf = async (pattern: string): Promise<number> => {
    const { body } = await exchange(gateway.adminUrl, { method: 'GET', path: '/metrics' });
    const samples = body.matchAll(new RegExp(`^${pattern} (\\d+)$`, 'gm'));
    return Array.from(samples, ([, count]) => Number(count)).reduce((sum, count) => sum + count, 0);
  };
  const until = async (pattern: string, count: number): Promise<void> => {
    while ((await sumOf(pattern)) !== count) await waitForTurns(1);
  };
  const counts = async () => ({
    shed: await sumOf('tributary_shed_total\\{priority="\\w+",reason="queue_time"\\}'),
    requests: await sumOf('tributary_requests_total\\{.*outcome="shed"\\}'),
  });
  const waiting = 'tributary_executions_waiting';

  await using socket = await Peer.ready(gateway.url);
  socket.subscribe('subscription { priceChanged { id } }');
  await until('tributary_open_streams', 1);
  const executed = Array.from({ length: 64 }, (_, of) => send(of));
  await gateway.subgraph('shop').waitForCalls(64);
  const equal = [send(100)];
  await until(waiting, 1);
  equal.push(send(100), send(100));
  await until('tributary_shared_responses_total', 2);
  gateway.publish('prices', { __typename: 'Product', id: '1' });
  await until(waiting, 2);
  // The execution of the equal requests is dropped, and the event. The two that have joined wait once more, and so does the
  // event.
  skippedMs = 90_000;
  const served = [send(101)];
  expect(await Promise.race(equal)).toContain('OVERLOADED');
  await until(waiting, 3);
  expect(await counts()).toEqual({ shed: 1, requests: 1 });
  skippedMs = 160_000;
  served.push(send(102));
  expect(await Promise.all(equal)).toEqual(Array(3).fill(expect.stringContaining('OVERLOADED')));
  opened.resolve();
  await Promise.all(executed);
  expect(await socket.next()).toMatchObject({ payload: { data: { priceChanged: { id: '1' } } } });
  const { length: failed } = (await Promise.all(served)).filter((body) => body.includes('OVERLOADED'));
  expect(await counts()).toEqual({ shed: 3 + failed, requests: 3 + failed });
  // Insights count what was executed.
  const insights = await exchange(gateway.adminUrl, { method: 'GET', path: '/insights/data' });
  const { operations } = JSON.parse(insights.body) as InsightsData;
  const price = expect.objectContaining({ kind: 'query', count: 66 - failed, aborted: 0 });
  const event = expect.objectContaining({ kind: 'subscription', count: 1 });
  const counted = operations.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count);
  expect(counted).toEqual([price, event]);
  const warnings = lines.filter((line) => line.includes('overload.executionQueueTime'));
  expect(warnings.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ level: 40, waiting: expect.any(Number) }),
  ]);
});
