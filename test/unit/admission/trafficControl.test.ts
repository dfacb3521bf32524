import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { AdmissionQueue } from '../../../gateway/admission/admissionQueue.ts';
import { anonymousClient } from '../../../gateway/admission/identity.ts';
import { LoadShedder } from '../../../gateway/admission/loadShedder.ts';
import { QueueOverload } from '../../../gateway/admission/queueOverload.ts';
import type { RateLimiter } from '../../../gateway/admission/rateLimiter.ts';
import { RequestPriorities } from '../../../gateway/admission/requestPriorities.ts';
import { TrafficControl } from '../../../gateway/admission/trafficControl.ts';
import { TrafficMetrics } from '../../../gateway/admission/trafficMetrics.ts';
import type { GatewayConfig } from '../../../gateway/config/schema.ts';
import type { GatewayError } from '../../../gateway/errors.ts';
import type { RequestContext } from '../../../gateway/execution/requestContext.ts';
import type { CostEstimator } from '../../../gateway/operation/costEstimator.ts';
import type { OperationRequest } from '../../../gateway/operation/operationRequest.ts';
import type { RequestPriority } from '../../../gateway/subgraphs/policies/callPriority.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { readSamples } from '../../harness/readSamples.ts';

const equalClaims = { anonymous: 'critical', identified: 'critical' } as const;

interface TrafficOptions {
  readonly priorities?: Partial<GatewayConfig['overload']['priorities']>;
  readonly rate?: GatewayConfig['limits']['rate'];
  readonly maxCost?: number;
  /** The estimated cost of each operation. */
  readonly cost?: number;
  /** Milliseconds until the window of each client ends. */
  readonly resetMs?: number;
}

function createTraffic({ priorities, rate, maxCost = 0, cost = 0, resetMs = 1 }: TrafficOptions = {}) {
  const ended: string[] = [];
  const registry = new Registry();
  const spent: (readonly [client: string, cost: number])[] = [];
  const executionQueue = { length: 64 };
  const timers = new FakeTimers();
  const load = { eventLoopDelayMs: 0, memory: 0 };
  const shedder = new LoadShedder({
    limits: { eventLoopDelay: 200, memory: 1 },
    timers,
    load: { start: () => {}, readSample: () => load, stop: () => ended.push('load') },
    onReport: () => {},
  });
  const queueOverload = new QueueOverload({
    log: createLogger('silent'),
    timers,
    countWaiting: () => admissionQueue.length,
    isQueueOverloaded: (priority) => admissionQueue.isOverloaded(priority),
  });
  const admissionQueue = new AdmissionQueue({
    queueTimeMs: 1_000,
    executionQueue,
    now: () => timers.now(),
    inNextTurn: setImmediate,
    onDrop: (priority) => queueOverload.onDrop(priority),
  });
  const traffic = new TrafficControl({
    rate: rate ?? { cost: 0, window: 1, key: 'identity' },
    maxCost,
    costs: {
      estimate: () => ({ cost, unslicedField: undefined }),
      rulesOf: () => ({ weights: undefined }),
    } as unknown as CostEstimator,
    rateLimiter: {
      async spend(client: string, clientCost: number) {
        spent.push([client, clientCost]);
        return { isAllowed: clientCost < 100, remaining: 7, resetMs };
      },
      close: () => ended.push('rate limiter'),
    } as unknown as RateLimiter,
    shedder,
    admissionQueue,
    queueOverload,
    priorities: new RequestPriorities({ operations: {}, claims: equalClaims, ...priorities }),
    metrics: new TrafficMetrics(registry),
  });
  traffic.onListening();
  const responseHeaders = new Map<string, string>();
  /** Checks a valid operation. Returns the code of its error, or its cost. */
  const check = async (
    headers: ReadonlyMap<string, string> = new Map(),
    priority?: RequestPriority,
  ): Promise<unknown> => {
    const request = { headers, clientAddress: '2001:db8::1', responseHeaders } as unknown as OperationRequest;
    const context = { clientKey: 'identity ada', preferences: { priority } } as unknown as RequestContext;
    try {
      return (await traffic.checkOperation(request, context, {} as Supergraph))?.estimated;
    } catch (error) {
      const { code, extensions } = error as GatewayError;
      return { code, ...extensions };
    }
  };
  /** The counts of `tributary_shed_total` and `tributary_rate_limited_total` that are not 0. */
  const readCounts = async (): Promise<string[]> => {
    const names = ['tributary_shed_total', 'tributary_rate_limited_total'];
    const samples = await Promise.all(names.map((name) => readSamples(registry, name)));
    return samples.flat().filter((line) => !line.endsWith(' 0'));
  };
  const records = { ended, spent, responseHeaders, readCounts };
  return { traffic, check, admissionQueue, executionQueue, load, timers, ...records };
}

test('a request waits unread while many executions wait', () => {
  const { traffic } = createTraffic();
  expect(traffic.holdBack(undefined)).toMatchObject({ rank: 1 });
  expect(traffic.holdBack('critical')).toMatchObject({ rank: 0 });
  expect(traffic.holdBack('a value that is refused later')).toMatchObject({ rank: 1 });
  const few = createTraffic();
  few.executionQueue.length = 63;
  expect(few.traffic.holdBack(undefined)).toBeUndefined();
});

test('no request waits unread if its priority is not known before it is read', () => {
  const withOperations = createTraffic({ priorities: { operations: { Report: 'background' } } });
  expect(withOperations.traffic.holdBack(undefined)).toBeUndefined();
  const withClaims = createTraffic({
    priorities: { claims: { anonymous: 'normal', identified: 'critical' } },
  });
  expect(withClaims.traffic.holdBack(undefined)).toBeUndefined();
});

test('no request waits unread while requests are shed', () => {
  const { traffic, load, timers } = createTraffic();
  load.eventLoopDelayMs = 1_000;
  timers.advance(500);
  expect(traffic.holdBack(undefined)).toBeUndefined();
});

test('the gateway is not ready after a request has waited unread for too long, until none has for 2 s', async () => {
  const { traffic, timers, executionQueue, admissionQueue } = createTraffic();
  traffic.holdBack(undefined)?.turn.catch(() => {});
  timers.advance(500);
  traffic.holdBack(undefined);
  timers.advance(501);
  expect(traffic.unreadyReasons).toEqual([]);
  traffic.holdBack(undefined);
  expect(traffic.unreadyReasons).toMatchObject([{ code: 'OVERLOADED' }]);
  // A gap of the overload: no request waits.
  executionQueue.length = 0;
  admissionQueue.onWaitEnd();
  await Promise.resolve();
  expect(admissionQueue.length).toBe(0);
  timers.advance(1_999);
  expect(traffic.unreadyReasons).toMatchObject([{ code: 'OVERLOADED' }]);
  timers.advance(501);
  expect(traffic.unreadyReasons).toEqual([]);
});

test('a request waits with the highest priority that its client may have', () => {
  const priorities = { claims: { anonymous: 'normal', identified: 'normal' } } as const;
  const { traffic } = createTraffic({ priorities });
  expect(traffic.holdBack('critical')).toMatchObject({ rank: 1 });
  expect(traffic.holdBack('background')).toMatchObject({ rank: 2 });
});

test('the gateway is not ready because of its load, not of the queue, while both affect normal requests', () => {
  const { traffic, timers, load } = createTraffic();
  traffic.holdBack(undefined)?.turn.catch(() => {});
  timers.advance(1_001);
  traffic.holdBack(undefined);
  expect(traffic.unreadyReasons).toMatchObject([
    { message: expect.stringContaining('overload.executionQueueTime') },
  ]);
  load.eventLoopDelayMs = 1_000;
  timers.advance(500);
  expect([traffic.isShed('background'), traffic.isShed('normal')]).toEqual([true, false]);
  timers.advance(500);
  expect(traffic.unreadyReasons).toMatchObject([
    { message: expect.stringContaining('overload.eventLoopDelay') },
  ]);
  expect(traffic.eventLoopDelayMs).toBe(1_000);
});

test('the end of the traffic control ends the samples and the rate limiter', async () => {
  const { traffic, timers, ended } = createTraffic();
  await traffic.close();
  expect([ended, timers.pendingCount]).toEqual([['load', 'rate limiter'], 0]);
});

test.each([
  [8, 0, 8],
  [9, 0, { code: 'OPERATION_TOO_COMPLEX', limit: 'cost', value: 9, allowed: 8 }],
  [5, 5, 5],
  [6, 5, { code: 'OPERATION_TOO_COMPLEX', limit: 'rate.cost', value: 6, allowed: 5 }],
])(
  'an operation with a cost of %i, of at most 8, and %i in a window: %j',
  async (cost, rateCost, expected) => {
    const rate = { cost: rateCost, window: 60_000, key: 'identity' } as const;
    const { check, spent } = createTraffic({ cost, maxCost: 8, rate });
    expect(await check()).toEqual(expected);
    expect(spent).toEqual(expected === cost ? [['identity ada', cost]] : []);
  },
);

test('the header fields of a rate limit have whole seconds, none of which is too few', async () => {
  const rate = { cost: 500, window: 60_400, key: 'identity' } as const;
  const allowed = createTraffic({ rate, resetMs: 1_400 });
  expect(await allowed.check()).toBe(0);
  expect(allowed.spent).toEqual([['identity ada', 1]]);
  expect(Object.fromEntries(allowed.responseHeaders)).toEqual({
    'ratelimit-policy': '"default";q=500;w=61',
    ratelimit: '"default";r=7;t=2',
  });
  const refused = createTraffic({ rate, cost: 100, resetMs: 0 });
  expect(await refused.check()).toEqual({ code: 'RATE_LIMITED', retryAfterMs: 0 });
  expect(refused.responseHeaders.get('retry-after')).toBe('1');
  expect(await refused.readCounts()).toEqual(['tributary_rate_limited_total 1']);
});

test.each([
  ['identity', 'identity ada'],
  ['address', 'address 2001:db8:0:0::/64'],
  ['header:x-other', 'address 2001:db8:0:0::/64'],
  ['header:x-key', 'header k'],
])('the rate of the key %s is that of %s', async (key, client) => {
  const { check, spent } = createTraffic({ rate: { cost: 500, window: 1, key } });
  await check(new Map([['x-key', 'k']]));
  expect(spent).toEqual([[client, 1]]);
});

test.each([
  ['background', 'ada', {}, 'background'],
  ['critical', 'ada', {}, undefined],
  ['critical', undefined, {}, 'normal'],
  [undefined, 'ada', {}, 'normal'],
  ['a value that is refused later', 'ada', {}, 'normal'],
  ['background', undefined, { Checkout: 'critical' }, undefined],
  ['background', undefined, { Report: 'normal' }, 'background'],
] as const)(
  'a request that claims %s, of the identity %s, with the operations %j, is shed as %s while normal ones are',
  async (claim, identity, operations, expected) => {
    const priorities = { operations, claims: { anonymous: 'normal', identified: 'critical' } } as const;
    const { traffic, load, timers, readCounts } = createTraffic({ priorities });
    const headers = new Map(claim === undefined ? [] : [['tributary-priority', claim]]);
    const arrive = (): void => traffic.checkRequest({ headers, caller: { ...anonymousClient, identity } });
    arrive();
    load.eventLoopDelayMs = 1_000;
    timers.advance(1_000);
    if (expected === undefined) arrive();
    else expect(arrive).toThrow(`does not serve requests of priority ${expected}.`);
    expect(await readCounts()).toEqual(
      expected === undefined ? [] : [`tributary_shed_total{priority="${expected}",reason="event_loop"} 1`],
    );
  },
);

test('a valid operation is shed by its own priority, and without one as a normal one', async () => {
  const { check, load, timers } = createTraffic();
  load.eventLoopDelayMs = 1_000;
  timers.advance(500);
  const overloaded = { code: 'OVERLOADED' };
  expect(await check(new Map(), 'background')).toEqual(overloaded);
  expect(await check()).toBe(0);
  timers.advance(500);
  expect(await check()).toEqual(overloaded);
  expect(await check(new Map(), 'critical')).toBe(0);
});
