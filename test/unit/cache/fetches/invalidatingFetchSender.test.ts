import { expect, test } from '@jest/globals';
import { InvalidatingFetchSender } from '../../../../gateway/cache/fetches/invalidatingFetchSender.ts';
import type { MutationInvalidations } from '../../../../gateway/cache/invalidation/mutationInvalidations.ts';
import type { InvalidationResult } from '../../../../gateway/cache/store/cacheStore.ts';
import { MemoryStore } from '../../../../gateway/cache/store/memoryStore.ts';
import { GatewayError } from '../../../../gateway/errors.ts';
import { type FetchCall, type FetchResult, toFailedResult } from '../../../../gateway/execution/fetchCall.ts';
import type { FetchSender } from '../../../../gateway/execution/fetchSender.ts';
import { rootShape } from '../../../harness/cachedSubgraphs.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { createRequestContext } from '../../../harness/fetchNodes.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import { silentObserver } from './silentObserver.ts';

const answered = { kind: 'completed', data: { rename: true }, errors: [] } as unknown as FetchResult;

/** Sends a mutation. `deleted`: resolves when its tags are deleted; `fault`: instead of its tags. */
function send({
  deleted,
  fault,
}: {
  readonly deleted?: Promise<InvalidationResult>;
  readonly fault?: Error;
} = {}) {
  const timers = new FakeTimers();
  const events: string[] = [];
  const repetitions = new Set<() => void>();
  let settle: FetchCall['settle'] = () => {};
  const next = {
    sendRoot: ({ call }) => {
      settle = call.settle;
      return () => events.push('cancelled');
    },
  } as Pick<FetchSender, 'sendRoot'> as FetchSender;
  const store = new MemoryStore({ maxSize: 1_000, now: () => 0 });
  store.deleteByTags = (tags) => {
    events.push(`deletes ${tags.join()}`);
    return deleted ?? Promise.resolve({ deleted: 0, isPending: false });
  };
  const sender = new InvalidatingFetchSender({
    next,
    store,
    invalidations: {
      *tagsOf(_shape: unknown, _readVariable: unknown, data: unknown) {
        if (fault !== undefined) throw fault;
        yield* [];
        return ['tag', data === undefined ? 'without data' : 'with data'];
      },
    } as unknown as MutationInvalidations,
    observer: silentObserver,
    maxWaitMs: 100,
    repeatAfterMs: () => 1_000,
    repetitions,
    onSkipped: () => {},
    onFault: (reported) => events.push(String(reported)),
    timers,
  });
  const call = {
    shape: rootShape('products', 'mutation { rename }', 'mutation'),
    requestContext: createRequestContext(),
    settle: (_result: FetchResult, done: () => void) => {
      events.push('settled');
      done();
    },
  } as unknown as FetchCall;
  const cancel = sender.sendRoot({ call, onDone: () => {} });
  return {
    timers,
    events,
    repetitions,
    cancel,
    answer: (result: FetchResult) => settle(result, () => events.push('done')),
  };
}

test('a mutation is settled when what it invalidates is deleted, also if it failed', async () => {
  const [succeeded, failed] = [send(), send()];
  succeeded.answer(answered);
  failed.answer(toFailedResult(new GatewayError('SUBGRAPH_TIMEOUT', 'It is late.')));
  expect(succeeded.events).toEqual(['deletes tag,with data']);
  await waitForTurns();
  expect([succeeded.events, failed.events]).toEqual([
    ['deletes tag,with data', 'settled', 'done'],
    ['deletes tag,without data', 'settled', 'done'],
  ]);
  expect(succeeded.timers.pendingCount).toBe(0);
});

test('a mutation that was not answered invalidates again later, because it may still be running', async () => {
  const [answeredInTime, timedOut, cancelled] = [send(), send(), send()];
  answeredInTime.answer(answered);
  timedOut.answer(toFailedResult(new GatewayError('SUBGRAPH_TIMEOUT', 'It is late.')));
  cancelled.cancel();
  const deletions = () =>
    [answeredInTime, timedOut, cancelled].map(
      ({ events }) => events.filter((event) => event.startsWith('deletes')).length,
    );
  for (const { timers } of [answeredInTime, timedOut, cancelled]) {
    await waitForTurns();
    timers.advance(999);
  }
  expect(deletions()).toEqual([1, 1, 1]);
  for (const { timers } of [answeredInTime, timedOut, cancelled]) timers.advance(1);
  await waitForTurns();
  expect(deletions()).toEqual([1, 2, 2]);
  expect(timedOut.events.at(-1)).toBe('deletes tag,without data');
  expect([timedOut, cancelled].map(({ timers }) => timers.pendingCount)).toEqual([0, 0]);
  expect([timedOut, cancelled].map(({ repetitions }) => repetitions.size)).toEqual([0, 0]);
});

test('a mutation that may still be running invalidates again once, also when that is brought forward', async () => {
  const { cancel, repetitions, timers, events } = send();
  cancel();
  await waitForTurns();
  for (const repeat of repetitions) repeat();
  await waitForTurns();
  expect(events).toEqual(['cancelled', 'deletes tag,without data', 'deletes tag,without data']);
  expect([repetitions.size, timers.pendingCount]).toEqual([0, 0]);
});

test('a mutation waits for other processes no longer than maxWaitMs, and is settled once', async () => {
  const deleted = Promise.withResolvers<InvalidationResult>();
  const { events, timers, answer } = send({ deleted: deleted.promise });
  answer(answered);
  timers.advance(99);
  expect(events).toHaveLength(1);
  timers.advance(1);
  expect(events).toEqual(['deletes tag,with data', 'settled', 'done']);
  deleted.resolve({ deleted: 1, isPending: false });
  await waitForTurns();
  expect(events).toHaveLength(3);
});

test('a cancelled mutation invalidates what depends on its arguments, unless it has been answered', async () => {
  const [cancelled, answeredBefore] = [send(), send()];
  cancelled.cancel();
  answeredBefore.answer(answered);
  answeredBefore.cancel();
  await waitForTurns();
  expect(cancelled.events).toEqual(['cancelled', 'deletes tag,without data']);
  expect(answeredBefore.events.filter((event) => event.startsWith('deletes'))).toEqual([
    'deletes tag,with data',
  ]);
});

test('a mutation whose tags cannot be computed is settled, and the fault is reported', () => {
  const { events, answer } = send({ fault: new Error('a fault') });
  answer(answered);
  expect(events).toEqual(['Error: a fault', 'settled', 'done']);
});
