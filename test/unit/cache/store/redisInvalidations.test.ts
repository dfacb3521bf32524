import { describe, expect, test } from '@jest/globals';
import { RedisInvalidations } from '../../../../gateway/cache/store/redisInvalidations.ts';
import { RedisKeys } from '../../../../gateway/cache/store/redisKeys.ts';
import { deleteTaggedEntries } from '../../../../gateway/cache/store/redisScripts.ts';
import { RedisFailure } from '../../../../gateway/redis/redisFailure.ts';
import { createLogger } from '../../../../gateway/telemetry/logger.ts';
import { ProblemLog } from '../../../../gateway/telemetry/problemLog.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

test('an invalidation that fails during the retry of another one is retried too', async () => {
  const timers = new FakeTimers();
  const failure = new RedisFailure(new Error('Redis is busy.'));
  const replies: unknown[] = [];
  const sent: string[] = [];
  const invalidations = new RedisInvalidations({
    keys: new RedisKeys('test', 1),
    senderId: 'sender',
    timers,
    problems: new ProblemLog({ log: createLogger('silent'), now: () => 0, message: 'a problem' }),
    sendCommand: async () => failure,
    runScript: async (_script, _keys, args) => {
      sent.push(String(args.at(-1)));
      return replies.shift() ?? failure;
    },
  });
  void invalidations.delete(['first'], 60_000);
  await timers.waitForTimer(1_000);
  const slow = Promise.withResolvers<unknown>();
  replies.push(slow.promise, failure);
  timers.fire(1_000);
  void invalidations.delete(['second'], 60_000);
  await timers.waitForTimer(1_000);
  timers.fire(1_000);
  expect(sent).toEqual(['first', 'first', 'second']);
  // The numbering of the first one succeeds now, and so does its deletion.
  replies.push([0, 0]);
  slow.resolve(Buffer.from('1'));
  await waitForTurns(5);
  timers.fire(1_000);
  expect(sent).toEqual(['first', 'first', 'second', 'first', 'second']);
});

/** The parts of an entry that do not matter here. */
const unused = { value: '', storedAt: 0, freshUntil: 0, staleWhileRevalidateUntil: 0, staleIfErrorUntil: 0 };

/** Invalidations in a Redis that gives each one the next number, and deletes one entry of each tag. */
function open() {
  const timers = new FakeTimers();
  const reported: string[] = [];
  /** Replies of deletions and of commands in place of the usual ones. */
  const replies: { readonly deletions: unknown[]; readonly commands: unknown[] } = {
    deletions: [],
    commands: [],
  };
  let sequence = 0;
  const deleted: string[] = [];
  const invalidations = new RedisInvalidations({
    keys: new RedisKeys('test', 1),
    senderId: 'sender',
    timers,
    problems: {
      report: (kind: string, detail: string) => reported.push(`${kind}: ${detail}`),
    } as unknown as ProblemLog<never>,
    sendCommand: async () => replies.commands.shift(),
    runScript: async (script, _keys, args) => {
      if (script !== deleteTaggedEntries) {
        sequence += 1;
        return Buffer.from(`${sequence}`);
      }
      const tags = args.slice(3).map(String);
      deleted.push(tags.join());
      return replies.deletions.shift() ?? [tags.length, 0];
    },
  });
  const isInvalidated = (tag: string, readVersion: number): boolean =>
    invalidations.isInvalidated({ ...unused, tags: ['other', tag], readVersion });
  return { invalidations, timers, reported, replies, deleted, isInvalidated };
}

const failure = new RedisFailure(new Error('Redis is busy.'));

describe('An entry with a tag that was invalidated', () => {
  test('is not used if its read began before, in any order of the invalidations', () => {
    const { invalidations, isInvalidated } = open();
    expect(isInvalidated('a', 0)).toBe(false);
    invalidations.record({ sequence: 5, tags: ['a'] });
    invalidations.record({ sequence: 3, tags: ['a', 'b'] });
    expect([invalidations.latestSequence, isInvalidated('a', 4), isInvalidated('a', 5)]).toEqual([
      5,
      true,
      false,
    ]);
    expect([isInvalidated('b', 2), isInvalidated('b', 3), isInvalidated('c', 0)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('is used again when the invalidation is one of the oldest of more than 10,000', () => {
    const { invalidations, isInvalidated } = open();
    invalidations.record({ sequence: 1, tags: ['old', 'repeated'] });
    invalidations.record({ sequence: 2, tags: Array.from({ length: 9_998 }, (_, index) => `${index}`) });
    invalidations.record({ sequence: 3, tags: ['repeated', 'new', 'newer'] });
    expect(['old', 'repeated', '0', 'new'].map((tag) => isInvalidated(tag, 0))).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  test('is not used while the invalidation runs, also if another one of the tag has ended', async () => {
    const { invalidations, replies, isInvalidated } = open();
    const slow = Promise.withResolvers<unknown>();
    replies.deletions.push(slow.promise);
    const first = invalidations.delete(['a'], 60_000);
    const second = invalidations.delete(['a'], 60_000);
    await second;
    expect(isInvalidated('a', 100)).toBe(true);
    slow.resolve([1, 0]);
    await first;
    expect([isInvalidated('a', 100), isInvalidated('a', 1)]).toEqual([false, true]);
  });

  test('is not used after the invalidation has failed, until it was retried', async () => {
    const { invalidations, timers, replies, isInvalidated } = open();
    replies.deletions.push(failure);
    expect(await invalidations.delete(['a'], 60_000)).toEqual({ deleted: 0, isPending: true });
    expect([isInvalidated('a', 100), invalidations.version]).toEqual([true, '1.1.sender']);
    timers.advance(1_000);
    await waitForTurns();
    expect([isInvalidated('a', 100), invalidations.version, timers.pendingCount]).toEqual([false, '2', 0]);
  });

  test('is not used if the log of Redis has the invalidation, in the format of either protocol', async () => {
    const { invalidations, replies, isInvalidated } = open();
    const flat = ['', '5', 'a', '7', 'b', '8'].map((text) => Buffer.from(text));
    const pairs = [
      [Buffer.from(''), 5],
      [Buffer.from('c'), 9],
    ];
    replies.commands.push(flat, Buffer.from('8'), pairs, Buffer.from('9'), failure, failure);
    for (let times = 0; times < 3; times++) await invalidations.readLog();
    expect(['a', 'b', 'c', 'd'].map((tag) => [isInvalidated(tag, 6), isInvalidated(tag, 9)])).toEqual([
      ...new Array(3).fill([true, false]),
      [false, false],
    ]);
    expect(invalidations.latestSequence).toBe(9);
  });

  test('may have any tag if its read began before the log, or before the last invalidation if there is no log', async () => {
    const { invalidations, replies, isInvalidated } = open();
    replies.commands.push([Buffer.from(''), Buffer.from('5'), Buffer.from('a'), Buffer.from('7')], failure);
    await invalidations.readLog();
    expect(isInvalidated('b', 4)).toBe(false);
    replies.commands.push(
      [
        [Buffer.from(''), 5],
        [Buffer.from('a'), 7],
      ],
      Buffer.from('7'),
    );
    await invalidations.readLog();
    expect([isInvalidated('b', 4), isInvalidated('b', 5)]).toEqual([true, false]);
    replies.commands.push([], Buffer.from('8'), [], null, [], Buffer.from('damaged'));
    for (let times = 0; times < 3; times++) await invalidations.readLog();
    expect([isInvalidated('b', 7), isInvalidated('b', 8)]).toEqual([true, false]);
  });
});

describe('An invalidation', () => {
  test('deletes each tag once, and continues until no entry is left', async () => {
    const { invalidations, timers, replies, deleted } = open();
    replies.deletions.push([1_000, 1], [1_000, 1], [5, 0]);
    expect(await invalidations.delete(['a', 'a'], 60_000)).toEqual({ deleted: 2_005, isPending: false });
    expect([deleted, timers.pendingCount]).toEqual([['a', 'a', 'a'], 0]);
    expect(await invalidations.delete([], 60_000)).toEqual({ deleted: 0, isPending: false });
    expect(deleted).toHaveLength(3);
  });

  test('is pending after its timeout', async () => {
    const { invalidations, timers, replies } = open();
    replies.deletions.push([7, 1], Promise.withResolvers<unknown>().promise);
    const outcome = invalidations.delete(['a'], 100);
    await waitForTurns();
    timers.advance(100);
    expect(await outcome).toEqual({ deleted: 7, isPending: true });
  });

  test('that has failed, or is running, is waited for when the store closes', async () => {
    const { invalidations, timers, replies, reported, deleted } = open();
    const slow = Promise.withResolvers<unknown>();
    replies.deletions.push(failure, slow.promise, failure);
    await invalidations.delete(['a'], 60_000);
    void invalidations.delete(['b'], 60_000);
    let isClosed = false;
    const closed = invalidations.close(30_000).then(() => {
      isClosed = true;
    });
    await waitForTurns();
    timers.advance(1_000);
    await waitForTurns();
    expect([deleted, isClosed]).toEqual([['a', 'b', 'a', 'a'], false]);
    slow.resolve([1, 0]);
    await closed;
    expect([reported, timers.pendingCount]).toEqual([[], 0]);
  });

  test('that Redis has not taken when the store closes is reported as lost, with its tags', async () => {
    const { invalidations, timers, replies, reported } = open();
    replies.deletions.push(failure, Promise.withResolvers<unknown>().promise, failure);
    await invalidations.delete(['a', 'b'], 60_000);
    void invalidations.delete(['b', 'c'], 60_000);
    const closed = invalidations.close(500);
    await waitForTurns();
    timers.advance(500);
    await closed;
    expect(reported).toEqual([expect.stringMatching(/^invalidation lost: .* of 3 tags .* a, b, c$/)]);
  });
});

describe('The preparation for a connection', () => {
  const numbers = (...values: readonly number[]) => values.map((value) => Buffer.from(`${value}`));

  test('reads the latest sequence number, and does not allocate another one', async () => {
    const { invalidations, replies } = open();
    replies.commands.push(numbers(1, 2), ...numbers(42));
    expect([await invalidations.prepare(), invalidations.latestSequence]).toEqual([true, 42]);
  });

  test('allocates a sequence number if Redis has lost it', async () => {
    const { invalidations, replies } = open();
    replies.commands.push(numbers(1, 2), null);
    expect([await invalidations.prepare(), invalidations.latestSequence]).toEqual([true, 1]);
  });

  test('fails if Redis refuses a command', async () => {
    const { invalidations, replies } = open();
    replies.commands.push(failure, ...numbers(42));
    expect(await invalidations.prepare()).toBe(false);
    replies.commands.push(numbers(1, 2), failure);
    expect(await invalidations.prepare()).toBe(false);
    replies.commands.push([null, null], failure);
    expect(await invalidations.prepare()).toBe(false);
  });
});
