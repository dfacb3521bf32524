import { expect, test } from '@jest/globals';
import { QueueOverloadLog } from '../../../gateway/admission/queueOverloadLog.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

function open() {
  const timers = new FakeTimers();
  const lines: unknown[] = [];
  const queue = { isOverloaded: false };
  const overloadLog = new QueueOverloadLog({
    log: createLogger('info', {
      write: (line: string) => {
        const { level, waiting, failed } = JSON.parse(line);
        lines.push(level === 40 ? { level, waiting } : { level, failed });
      },
    }),
    timers,
    countWaiting: () => 70,
    isOverloaded: () => queue.isOverloaded,
  });
  return { timers, lines, queue, overloadLog };
}

test('An overload of the queue leaves one warning, and one line when no request has failed for 2 s', () => {
  const { timers, lines, overloadLog } = open();
  for (let n = 0; n < 5; n++) {
    overloadLog.onDrop();
    timers.advance(1_000);
  }
  expect(lines).toEqual([{ level: 40, waiting: 70 }]);
  timers.advance(1_500);
  expect(lines.slice(1)).toEqual([{ level: 30, failed: 5 }]);
  expect(timers.pendingCount).toBe(0);
  overloadLog.onDrop();
  timers.advance(2_500);
  expect(lines.slice(2)).toEqual([
    { level: 40, waiting: 70 },
    { level: 30, failed: 1 },
  ]);
});

test('An overload has not ended while requests wait that arrived before others have failed', () => {
  const { timers, lines, queue, overloadLog } = open();
  queue.isOverloaded = true;
  overloadLog.onDrop();
  timers.advance(10_000);
  expect(lines).toHaveLength(1);
  queue.isOverloaded = false;
  timers.advance(2_000);
  expect(lines).toHaveLength(2);
});

test('A closed log has no timer', () => {
  const { timers, overloadLog } = open();
  overloadLog.onDrop();
  overloadLog.close();
  expect(timers.pendingCount).toBe(0);
});
