import { expect, test } from '@jest/globals';
import { type DestinationStream, pino } from 'pino';
import { type AccessLine, createAccessLog } from '../../../gateway/telemetry/accessLog.ts';
import { BatchedDestination, maxBatchMs } from '../../../gateway/telemetry/batchedDestination.ts';
import { createLogger, protectLogger } from '../../../gateway/telemetry/logger.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

const shortLine: AccessLine = {
  requestId: 'request-1',
  traceId: undefined,
  operation: undefined,
  type: 'unknown',
  client: undefined,
  clientVersion: undefined,
  clientAddress: undefined,
  status: undefined,
  outcome: 'aborted',
  firstPayloadMs: undefined,
  durationMs: 0.1,
  subgraphMs: 0,
  bytes: 0,
};

const fullLine: AccessLine = {
  requestId: 'a"b\\c\u{2028}',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  operation: 'Operation\n',
  type: 'query',
  client: '\ud800 client\u0000',
  clientVersion: '1.2 "é"',
  clientAddress: '2001:db8::1',
  status: 200,
  outcome: 'ok',
  firstPayloadMs: 12.4,
  durationMs: 1_234_567.8,
  subgraphMs: 0.3,
  bytes: 5_120,
};

function open() {
  const writes: string[][] = [];
  const timers = new FakeTimers();
  const write = (bytes: Buffer): void => {
    const lines = bytes.toString().trimEnd().split('\n');
    writes.push(lines.map((line) => String(JSON.parse(line).requestId)));
  };
  const log = createLogger('info', new BatchedDestination({ write }, timers));
  const writeLine = createAccessLog(protectLogger(log));
  return { log, timers, writes, writeIds: (id: string) => writeLine({ ...shortLine, requestId: id }) };
}

test.each([
  { line: shortLine, worker: undefined },
  { line: fullLine, worker: '2' },
])('an access line has the text that pino writes, with the worker', ({ line, worker }) => {
  const written: string[] = [];
  const destination: DestinationStream = {
    write: (text) => void written.push(text.replace(/\d{13}/, 'now')),
  };
  createAccessLog(createLogger('info', destination, worker))(line);
  pino({ base: worker === undefined ? null : { worker } }, destination).info(line, 'request');
  expect(written).toHaveLength(2);
  expect(written[0]).toBe(written[1]);
});

test("the logger of an application writes access lines in the application's form", () => {
  const written: string[] = [];
  const logger = pino(
    { base: { app: 'shop' }, timestamp: false },
    { write: (text) => void written.push(text) },
  );
  createAccessLog(protectLogger(logger))(shortLine);
  expect(written).toEqual([
    '{"level":30,"app":"shop","requestId":"request-1","type":"unknown","outcome":"aborted","durationMs":0.1,"subgraphMs":0,"bytes":0,"msg":"request"}\n',
  ]);
});

test('access lines are written together after a short time, and at once before any other line', () => {
  const { log, timers, writes, writeIds } = open();
  writeIds('1');
  writeIds('2');
  expect(writes).toEqual([]);
  timers.fire(maxBatchMs);
  expect(writes).toEqual([['1', '2']]);
  writeIds('3');
  log.error({ requestId: '4' }, 'Something failed');
  expect(writes.slice(1)).toEqual([['3', '4']]);
  expect(timers.pendingMs()).toEqual([]);
});

test('many access lines are written before their time', () => {
  const { writes, writeIds } = open();
  for (let id = 0; id < 1_000; id++) writeIds(String(id));
  expect(writes.length).toBeGreaterThan(2);
  const written = writes.flat();
  expect(written).toEqual(written.map((_, index) => String(index)));
});
