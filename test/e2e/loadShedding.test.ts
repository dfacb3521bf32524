import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { ManualInterval } from '../harness/manualInterval.ts';
import { exchange } from '../harness/rawHttp.ts';
import { transports } from '../harness/transports.ts';

const json = { 'content-type': 'application/json', accept: 'application/json' };
const idle = { eventLoopDelayMs: 0, memory: 0.1 };
const overloaded = { eventLoopDelayMs: 1_000, memory: 0.1 };

interface SheddingGateway {
  readonly gateway: InlineGateway;
  /** Takes this many samples of the load. */
  sample(load: typeof idle, count: number): Promise<void>;
}

async function start(priorities: object): Promise<SheddingGateway> {
  const interval = new ManualInterval(500);
  let current = idle;
  const load = { start: () => {}, readSample: () => current, stop: () => {} };
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
    dependencies: { timers: interval, load },
  });
  return {
    gateway,
    async sample(next, count) {
      current = next;
      for (let index = 0; index < count; index++) await interval.fire();
    },
  };
}

const post = (url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  exchange(url, { headers: { ...json, ...headers }, body: JSON.stringify(body) });

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
      expect((await post(gateway.url, { query, extensions })).status).toBe(200);
      await sample(overloaded, 2);
      const answers = [
        await post(gateway.url, { query }),
        await post(gateway.url, { extensions }),
        await post(gateway.url, [{ query }, { query }]),
        await post(gateway.url, { query }, { accept: 'text/event-stream' }),
        await post(gateway.url, { query }, { accept: 'multipart/mixed;deferSpec=20220824' }),
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
    expect((await post(gateway.url, { query: '{ price }' }, critical)).status).toBe(503);
    expect((await post(gateway.url, { query: '{ price }' }, { 'x-user': 'ada' })).status).toBe(503);
    const served = await post(gateway.url, { query: '{ price }' }, { ...critical, 'x-user': 'ada' });
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
    expect(await ready()).toEqual([200, undefined]);
    expect((await post(gateway.url, { query: 'query Report { price }' })).status).toBe(503);
    expect((await post(gateway.url, { query: '{ price }' })).status).toBe(200);
    await sample(overloaded, 2);
    expect(await ready()).toEqual([
      503,
      [{ code: 'OVERLOADED', message: expect.stringContaining('overload.eventLoopDelay') }],
    ]);
    const critical = { 'tributary-priority': 'critical' };
    expect((await post(gateway.url, { query: '{ price }' }, critical)).status).toBe(503);
    expect((await exchange(gateway.url, { method: 'GET', path: '/health/live' })).status).toBe(200);
    const after = await counted();
    const added = ['background', 'normal', 'critical'].map(
      (priority) => (after.get(priority) ?? 0) - (before.get(priority) ?? 0),
    );
    expect(added).toEqual([1, 0, 1]);
    await sample(idle, 8);
    expect(await ready()).toEqual([200, undefined]);
    expect((await post(gateway.url, { query: '{ price }' })).status).toBe(200);
  });
});

test('a warning says that requests fail because they waited too long for their execution', async () => {
  const lines: string[] = [];
  const logger = createLogger('info', { write: (line: string) => void lines.push(line) } as never);
  await using gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'shop',
        sdl: 'type Query { price(of: Int): Int }',
        resolvers: { Query: { price: () => 5 } },
      },
    ],
    config: { overload: { executionQueueTime: '1ms' }, telemetry: { accessLog: false } },
    dependencies: { logger },
  });
  // More than may be executed at a time before the effect of the first ones is known.
  const bodies = await Promise.all(
    Array.from({ length: 400 }, async (_, of) => {
      const query = 'query($of: Int) { price(of: $of) }';
      return (await post(gateway.url, { query, variables: { of } })).body;
    }),
  );
  expect(bodies.filter((body) => body.includes('OVERLOADED')).length).toBeGreaterThan(0);
  const warnings = lines.filter((line) => line.includes('overload.executionQueueTime'));
  expect(warnings.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ level: 40, waiting: expect.any(Number) }),
  ]);
});
