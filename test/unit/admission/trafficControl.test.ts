import { expect, test } from '@jest/globals';
import { AdmissionQueue } from '../../../gateway/admission/admissionQueue.ts';
import { LoadShedder } from '../../../gateway/admission/loadShedder.ts';
import { QueueOverload } from '../../../gateway/admission/queueOverload.ts';
import { RequestPriorities } from '../../../gateway/admission/requestPriorities.ts';
import { TrafficControl } from '../../../gateway/admission/trafficControl.ts';
import { TrafficMetrics } from '../../../gateway/admission/trafficMetrics.ts';
import type { GatewayConfig } from '../../../gateway/config/schema.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

const equalClaims = { anonymous: 'critical', identified: 'critical' } as const;

function createTraffic(priorities: Partial<GatewayConfig['overload']['priorities']> = {}) {
  const executionQueue = { length: 64 };
  const timers = new FakeTimers();
  const load = { eventLoopDelayMs: 0, memory: 0 };
  const shedder = new LoadShedder({
    limits: { eventLoopDelay: 200, memory: 1 },
    timers,
    load: { start: () => {}, readSample: () => load, stop: () => {} },
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
    rate: { cost: 0, window: 1, key: 'identity' },
    maxCost: 0,
    costs: undefined,
    rateLimiter: undefined,
    shedder,
    admissionQueue,
    queueOverload,
    priorities: new RequestPriorities({ operations: {}, claims: equalClaims, ...priorities }),
    metrics: new TrafficMetrics(createMetrics().registry),
  });
  traffic.onListening();
  return { traffic, admissionQueue, executionQueue, load, timers };
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
  const withOperations = createTraffic({ operations: { Report: 'background' } });
  expect(withOperations.traffic.holdBack(undefined)).toBeUndefined();
  const withClaims = createTraffic({ claims: { anonymous: 'normal', identified: 'critical' } });
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
