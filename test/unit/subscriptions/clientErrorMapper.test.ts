import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { GatewayError } from '../../../gateway/errors.ts';
import { statusError, unreachableError } from '../../../gateway/subgraphs/callErrors.ts';
import {
  createClientErrorMapper,
  createInterruptionMapper,
  createResubscribeReporter,
} from '../../../gateway/subscriptions/clientErrorMapper.ts';
import { reportedFailure } from '../../../gateway/subscriptions/sources/reportedErrors.ts';
import { WeakList } from '../../harness/weakList.ts';

const uncounted = { increment: () => undefined };

function mapError(error: GatewayError, exposeSubgraphErrors: boolean, exposeSubgraphs = false) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) });
  return {
    error: createClientErrorMapper({
      policy: { exposeSubgraphErrors, exposeSubgraphs },
      log,
      now: () => 0,
      counter: uncounted,
    })(error).toFormatted(),
    lines,
  };
}

const refused = reportedFailure('reviews', [
  { message: 'not on Sundays', extensions: { code: 'CLOSED', until: 'Monday' } },
]);

test('clients see the message of a subgraph error only with exposeSubgraphErrors', () => {
  expect(mapError(refused, true).error).toEqual({
    message: 'not on Sundays',
    extensions: { until: 'Monday', code: 'SUBGRAPH_ERROR' },
  });
  expect(mapError(refused, false).error).toEqual({
    message: 'A subgraph answered with an error.',
    extensions: { code: 'SUBGRAPH_ERROR' },
  });
});

test('a subgraph error is logged with its message only with exposeSubgraphErrors, and other errors always', () => {
  const fields = { subgraph: 'reviews', code: 'SUBGRAPH_ERROR' };
  expect(mapError(refused, true).lines).toMatchObject([{ ...fields, message: 'not on Sundays' }]);
  expect(mapError(refused, false).lines).toMatchObject([
    { ...fields, message: 'A subgraph answered with an error.' },
  ]);
  const cause = new Error('read ECONNRESET');
  const lost = new GatewayError('SUBGRAPH_UNREACHABLE', 'A subgraph could not be reached.', { cause });
  expect(mapError(lost, false).lines).toMatchObject([{ message: 'read ECONNRESET' }]);
});

test('a refused subscription is logged with the status of the response, without a stack and what a message quotes', () => {
  const cause = new SyntaxError(`Unexpected token 's', "secret" is not valid JSON`);
  const { lines } = mapError(statusError('reviews', 403, cause), false);
  expect(lines).toEqual([
    {
      level: 40,
      time: expect.any(Number),
      problem: 'ended',
      subgraph: 'reviews',
      code: 'SUBGRAPH_ERROR',
      count: 1,
      message: 'Unexpected token: it is not valid JSON (status 403)',
      msg: 'A subgraph ended a subscription with an error',
    },
  ]);
});

test('an error of the gateway itself is not changed', () => {
  const error = new GatewayError('SUBGRAPH_UNREACHABLE', 'A subgraph could not be reached.');
  expect(mapError(error, true).error).toEqual(error.toFormatted());
});

test('clients see the subgraph of an error with exposeSubgraphs', () => {
  expect(mapError(refused, false, true).error).toEqual({
    message: 'A subgraph answered with an error.',
    extensions: { subgraph: 'reviews', code: 'SUBGRAPH_ERROR' },
  });
});

test('clients see the cause of a failed call with exposeSubgraphErrors', () => {
  const lost = unreachableError('reviews', new Error('read ECONNRESET'));
  expect(mapError(lost, true).error.message).toBe('A subgraph could not be reached. Cause: read ECONNRESET');
  expect(mapError(lost, false).error.message).toBe('A subgraph could not be reached.');
});

test('a refusal without a GraphQL response is logged with its status', () => {
  const refusal = statusError('reviews', 406, new Error('the body is empty'));
  expect(mapError(refusal, false).lines).toMatchObject([
    { subgraph: 'reviews', message: 'the body is empty (status 406)' },
  ]);
});

test('subscriptions that a subgraph refuses are logged once a minute for each code', () => {
  const lines: Record<string, unknown>[] = [];
  let now = 0;
  const toClient = createClientErrorMapper({
    policy: { exposeSubgraphErrors: false, exposeSubgraphs: false },
    log: pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) }),
    now: () => now,
    counter: uncounted,
  });
  for (const at of [0, 1_000, 60_000]) {
    now = at;
    toClient(statusError('reviews', 403, new Error('the body is empty')));
    toClient(unreachableError('reviews', new Error('read ECONNRESET')));
  }
  expect(lines.map(({ code, count }) => [code, count])).toEqual([
    ['SUBGRAPH_ERROR', 1],
    ['SUBGRAPH_UNREACHABLE', 2],
    ['SUBGRAPH_ERROR', 5],
    ['SUBGRAPH_UNREACHABLE', 6],
  ]);
});

test('interruptions of a subgraph are logged once a minute, and clients see its name with exposeSubgraphs', () => {
  const lines: Record<string, unknown>[] = [];
  let now = 0;
  const toClient = createInterruptionMapper({
    policy: { exposeSubgraphErrors: false, exposeSubgraphs: true },
    log: pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) }),
    now: () => now,
    counter: uncounted,
  });
  const lost = unreachableError('reviews', new Error('the connection ended before the stream did'));
  for (const at of [0, 1_000, 60_000]) {
    now = at;
    expect(toClient(lost).toFormatted()).toEqual({
      message: 'A subgraph could not be reached.',
      extensions: { subgraph: 'reviews', code: 'SUBGRAPH_UNREACHABLE' },
    });
  }
  const line = {
    msg: 'Subscriptions at a subgraph were interrupted',
    subgraph: 'reviews',
    message: 'the connection ended before the stream did',
  };
  expect(lines).toMatchObject([
    { ...line, count: 1 },
    { ...line, count: 3 },
  ]);
});

test('a subgraph that is unavailable after a new supergraph is logged once a minute', () => {
  const lines: Record<string, unknown>[] = [];
  const report = createResubscribeReporter({
    policy: { exposeSubgraphErrors: false, exposeSubgraphs: false },
    log: pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) }),
    now: () => 0,
  });
  report(statusError('reviews', 503, new Error('the body is empty')));
  report(unreachableError('reviews', new Error('connect ECONNREFUSED')));
  expect(lines).toMatchObject([
    { level: 40, subgraph: 'reviews', message: 'the body is empty (status 503)', count: 1 },
  ]);
});

test('the message of a subgraph is in the line of an interruption once, and only with exposeSubgraphErrors', () => {
  const messageOfLine = (exposeSubgraphErrors: boolean): unknown => {
    const lines: Record<string, unknown>[] = [];
    const toClient = createInterruptionMapper({
      policy: { exposeSubgraphErrors, exposeSubgraphs: false },
      log: pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) }),
      now: () => 0,
      counter: uncounted,
    });
    toClient(refused);
    return lines[0]?.message;
  };
  expect(messageOfLine(true)).toBe('not on Sundays');
  expect(messageOfLine(false)).toBe('A subgraph answered with an error.');
});

test('an interruption does not stay in memory after the subscriptions have its error', async () => {
  const toClient = createInterruptionMapper({
    policy: { exposeSubgraphErrors: false, exposeSubgraphs: false },
    log: pino({ level: 'silent' }),
    now: () => 0,
    counter: uncounted,
  });
  const interruptions = new WeakList();
  toClient(unreachableError('reviews', interruptions.add(new Error('the connection ended'))));
  expect(await interruptions.countRemaining()).toBe(0);
  expect(toClient).toBeInstanceOf(Function);
});
