import { expect, test } from '@jest/globals';
import { BatchedDestination, maxBatchMs } from '../../../gateway/telemetry/batchedDestination.ts';
import { createLogger } from '../../../gateway/telemetry/logger.ts';
import { createManualTimers } from '../../harness/manualTimers.ts';

function open() {
  const writes: string[][] = [];
  const timers = createManualTimers();
  const write = (text: string): void => {
    const lines = text.trimEnd().split('\n');
    writes.push(lines.map((line) => String(JSON.parse(line).id)));
  };
  const log = createLogger('info', new BatchedDestination({ write }, timers));
  return { log, timers, writes };
}

test('access lines are written together after a short time, and at once before any other line', () => {
  const { log, timers, writes } = open();
  log.info({ id: 1 }, 'request');
  log.info({ id: 2 }, 'request');
  expect(writes).toEqual([]);
  timers.fire(maxBatchMs);
  expect(writes).toEqual([['1', '2']]);
  log.info({ id: 3 }, 'request');
  log.error({ id: 4 }, 'Something failed');
  expect(writes.slice(1)).toEqual([['3', '4']]);
  expect(timers.pendingMs()).toEqual([]);
});

test('many access lines are written before their time', () => {
  const { log, writes } = open();
  for (let id = 0; id < 1_000; id++) log.info({ id, text: 'x'.repeat(100) }, 'request');
  expect(writes.length).toBeGreaterThan(5);
  const written = writes.flat();
  expect(written).toEqual(written.map((_, index) => String(index)));
});
