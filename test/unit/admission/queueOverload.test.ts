import { expect, test } from '@jest/globals';
import { QueueOverload } from '../../../gateway/admission/queueOverload.ts';
import {
  higherRequestPriority,
  type RequestPriority,
} from '../../../gateway/subgraphs/policies/callPriority.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

function open() {
  const timers = new FakeTimers();
  const lines: unknown[] = [];
  const queue: { isOverloaded: RequestPriority | undefined } = { isOverloaded: undefined };
  const overload = new QueueOverload({
    log: createLogger('info', {
      write: (line: string) => {
        const { level, waiting, failed } = JSON.parse(line);
        lines.push(level === 40 ? { level, waiting } : { level, failed });
      },
    }),
    timers,
    countWaiting: () => 70,
    // As in `CallQueue`: the less urgent ones are overloaded with a priority.
    isQueueOverloaded: (priority) =>
      queue.isOverloaded !== undefined &&
      higherRequestPriority(queue.isOverloaded, priority) === queue.isOverloaded,
  });
  return { timers, lines, queue, overload };
}

test('An overload of the queue leaves one warning, and one line when no request has failed for a minute', () => {
  const { timers, lines, overload } = open();
  for (let n = 0; n < 5; n++) {
    overload.onDrop('normal');
    overload.onFail();
    timers.advance(1_000);
  }
  expect(lines).toEqual([{ level: 40, waiting: 70 }]);
  timers.advance(59_000);
  expect(lines).toHaveLength(1);
  timers.advance(1_000);
  expect(lines.slice(1)).toEqual([{ level: 30, failed: 5 }]);
  expect(timers.pendingCount).toBe(0);
  overload.onDrop('normal');
  overload.onFail();
  timers.advance(60_500);
  expect(lines.slice(2)).toEqual([
    { level: 40, waiting: 70 },
    { level: 30, failed: 1 },
  ]);
});

test('An overload has not ended while requests wait that arrived before others have failed', () => {
  const { timers, lines, queue, overload } = open();
  queue.isOverloaded = 'background';
  overload.onDrop('normal');
  timers.advance(100_000);
  expect(lines).toHaveLength(1);
  queue.isOverloaded = undefined;
  timers.advance(60_000);
  expect(lines).toHaveLength(2);
});

test('A closed overload has no timer', () => {
  const { timers, overload } = open();
  overload.onDrop('normal');
  overload.close();
  expect(timers.pendingCount).toBe(0);
});

test('An overload affects requests of normal priority until none of them has been dropped for 2 s', () => {
  const { timers, overload } = open();
  overload.onDrop('background');
  expect(overload.affectsNormal).toBe(false);
  overload.onDrop('critical');
  timers.advance(1_000);
  overload.onDrop('normal');
  timers.advance(2_000);
  expect(overload.affectsNormal).toBe(true);
  overload.onDrop('background');
  timers.advance(500);
  expect(overload.affectsNormal).toBe(false);
});

test.each([
  ['critical', true],
  ['normal', true],
  ['background', false],
] as const)(
  'An overload of %s requests, of which some wait, affects normal ones: %s',
  (priority, expected) => {
    const { timers, overload, queue } = open();
    queue.isOverloaded = priority;
    overload.onDrop(priority);
    expect(overload.affectsNormal).toBe(expected);
    timers.advance(10_000);
    expect(overload.affectsNormal).toBe(expected);
    queue.isOverloaded = undefined;
    timers.advance(2_000);
    expect(overload.affectsNormal).toBe(false);
  },
);
