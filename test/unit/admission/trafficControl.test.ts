import { expect, test } from '@jest/globals';
import { AdmissionQueue } from '../../../gateway/admission/admissionQueue.ts';
import { LoadShedder } from '../../../gateway/admission/loadShedder.ts';
import { RequestPriorities } from '../../../gateway/admission/requestPriorities.ts';
import { TrafficControl } from '../../../gateway/admission/trafficControl.ts';
import { TrafficMetrics } from '../../../gateway/admission/trafficMetrics.ts';
import type { GatewayConfig } from '../../../gateway/config/schema.ts';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

const equalClaims = { anonymous: 'critical', identified: 'critical' } as const;

function createTraffic(priorities: Partial<GatewayConfig['overload']['priorities']> = {}) {
  const executionQueue = { length: 64, isOverloaded: false };
  const timers = new FakeTimers();
  const load = { eventLoopDelayMs: 0, memory: 0 };
  const shedder = new LoadShedder({
    limits: { eventLoopDelay: 200, memory: 1 },
    timers,
    load: { start: () => {}, readSample: () => load, stop: () => {} },
    onChange: () => {},
  });
  const traffic = new TrafficControl({
    rate: { cost: 0, window: 1, key: 'identity' },
    maxCost: 0,
    costs: undefined,
    rateLimiter: undefined,
    shedder,
    executionQueue,
    admissionQueue: new AdmissionQueue({
      queueTimeMs: 1_000,
      executionQueue,
      now: () => timers.now(),
      inNextTurn: setImmediate,
      onDrop: () => {},
    }),
    priorities: new RequestPriorities({ operations: {}, claims: equalClaims, ...priorities }),
    metrics: new TrafficMetrics(createMetrics().registry),
  });
  traffic.onListening();
  return { traffic, executionQueue, load, timers };
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

test('the gateway is not ready after a request has waited unread for too long', () => {
  const { traffic, timers } = createTraffic();
  traffic.holdBack(undefined)?.turn.catch(() => {});
  timers.advance(500);
  traffic.holdBack(undefined);
  timers.advance(501);
  expect(traffic.unreadyReasons).toEqual([]);
  traffic.holdBack(undefined);
  expect(traffic.unreadyReasons).toMatchObject([{ code: 'OVERLOADED' }]);
});
