import { expect, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import { FailureEpisodes, recoveryMs, reminderMs } from '../../../gateway/subgraphs/failureEpisodes.ts';
import { CallFailure } from '../../../gateway/subgraphs/httpSubgraphClient.ts';

const url = 'http://reviews.test/graphql';
const cause = new Error('connect ECONNREFUSED');
const failure = new CallFailure({ url }, new GatewayError('SUBGRAPH_UNREACHABLE', 'gone', { cause }));

function observe() {
  const lines: { readonly level: string; readonly message: string | undefined }[] = [];
  let now = 0;
  let delayMs = 99;
  const write =
    (level: string) =>
    (fields: object, message?: string): void =>
      void lines.push({ level, message, ...fields });
  const log = { warn: write('warn'), info: write('info') } as never;
  const episodes = new FailureEpisodes({ log, now: () => now, eventLoopDelayMs: () => delayMs });
  return {
    lines,
    advance: (ms: number) => {
      now += ms;
    },
    delayEventLoop: (ms: number) => {
      delayMs = ms;
    },
    call: (outcome: string, subgraph = 'reviews', isComplete = false) =>
      episodes.onCall(subgraph, outcome, { status: undefined, requestId: 'request-1', isComplete, failure }),
  };
}

const begun = (reason: string) => ({
  level: 'warn',
  message: 'A subgraph has begun to fail',
  subgraph: 'reviews',
  reason,
  status: undefined,
  url,
  problem: cause.message,
  requestId: 'request-1',
});
const startedAt = new Date(0).toISOString();

test('a subgraph that fails and recovers leaves two lines, with the failures by reason', () => {
  const { lines, advance, call } = observe();
  call('ok');
  call('timeout');
  advance(1_000);
  call('timeout');
  call('cancelled');
  expect(lines).toEqual([begun('timeout')]);
  advance(recoveryMs);
  call('ok', 'products');
  expect(lines).toHaveLength(1);
  call('ok');
  call('ok');
  expect(lines.slice(1)).toEqual([
    {
      level: 'info',
      message: 'A subgraph has recovered',
      subgraph: 'reviews',
      startedAt,
      endedAt: new Date(1_000).toISOString(),
      count: 2,
      failures: { timeout: 2 },
    },
  ]);
  call('unreachable');
  expect(lines[2]).toEqual(begun('unreachable'));
});

test('calls that succeed between failures do not end an episode', () => {
  const { lines, advance, call } = observe();
  for (let index = 0; index < 50; index++) {
    call('timeout');
    advance(1);
    call('ok');
    advance(recoveryMs / 20);
  }
  expect(lines).toEqual([begun('timeout')]);
});

test('an episode that lasts is logged once a minute, with all failures so far', () => {
  const { lines, advance, call } = observe();
  for (let second = 0; second <= 130; second += 10) {
    call('timeout');
    advance(10_000);
  }
  expect(reminderMs).toBe(60_000);
  expect(lines.slice(1)).toEqual(
    [7, 13].map((count) => ({
      ...begun('timeout'),
      message: 'A subgraph is still failing',
      startedAt,
      count,
      failures: { timeout: count },
    })),
  );
});

test('what is no failure of the subgraph begins nothing: disconnected clients, faults of the gateway and of its extensions', () => {
  const { lines, call } = observe();
  for (const outcome of ['cancelled', 'bad_request', 'extension_failed', 'overloaded', 'shutting_down'])
    call(outcome);
  call('deadline_exceeded', 'reviews', true);
  expect(lines).toEqual([]);
  call('deadline_exceeded');
  expect(lines).toEqual([begun('deadline_exceeded')]);
});

test('a further reason leaves a line of its own, once', () => {
  const { lines, call } = observe();
  for (const outcome of ['timeout', 'http_error', 'timeout', 'http_error']) call(outcome);
  expect(lines).toEqual([
    begun('timeout'),
    {
      ...begun('http_error'),
      message: 'A subgraph is still failing',
      startedAt,
      count: 2,
      failures: { timeout: 1, http_error: 1 },
    },
  ]);
});

test('an episode is logged again, and ends, after the clock was set back', () => {
  const { lines, advance, call } = observe();
  call('timeout');
  advance(-3_600_000);
  call('timeout');
  call('timeout');
  expect(lines.map(({ message }) => message)).toEqual([
    'A subgraph has begun to fail',
    'A subgraph is still failing',
  ]);
  advance(-3_600_000);
  call('ok');
  expect(lines[2]).toMatchObject({ message: 'A subgraph has recovered', count: 3 });
});

test('a failure while the event loop of the gateway is late has its delay', () => {
  const { lines, delayEventLoop, call } = observe();
  delayEventLoop(350.4);
  call('timeout');
  expect(lines).toEqual([{ ...begun('timeout'), eventLoopDelayMs: 350 }]);
});
