import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import type { EnrichmentPriority } from '../../../../gateway/operation/enrichmentRule.ts';
import {
  ada,
  ControlledAttempt,
  collectUpdates,
  createInMemoryJobs,
  defaultPolicy,
  failedResult,
  formatUpdate,
  jobOf,
  policyWith,
  successfulResult,
} from '../../../harness/enrichmentJobsFixture.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

describe('a field that fails', () => {
  test('is fetched by another attempt, together with no other field, and published when it succeeds', async () => {
    const { enqueue, subscribe, executor, advance, events } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const token = await enqueue(jobOf('a', ['reviews', 'stock']), attempt);
    attempt.complete(failedResult('reviews'), successfulResult('stock', 1));
    await waitForTurns();
    expect(executor.createdAttempts).toEqual([]);
    advance(500);
    await waitForTurns();
    expect(executor.createdAttempts).toEqual(['a: reviews']);
    expect(executor.created[0]?.deadlineMs).toBe(15_000);
    executor.lastAttempt.complete(successfulResult('reviews'));
    expect(await collectUpdates(await subscribe(token))).toEqual(['1-0 stock 1 …', '2-0 reviews "reviews!"']);
    expect(events).toEqual(['created', 'retry', 'NORMAL done']);
  });

  test('is retried when an attempt rejects or ends without a result', async () => {
    const { enqueue, subscribe, executor, advance, logged, jobs } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const token = await enqueue(jobOf('a', ['reviews', 'stock']), attempt);
    attempt.emit(successfulResult('stock', 1));
    const error = new Error('An internal error.');
    attempt.fail(error);
    await waitForTurns();
    advance(500);
    await waitForTurns();
    executor.lastAttempt.complete();
    await waitForTurns();
    advance(1_000);
    await waitForTurns();
    expect(executor.createdAttempts).toEqual(['a: reviews', 'a: reviews']);
    executor.lastAttempt.complete();
    expect(await collectUpdates(await subscribe(token))).toEqual([
      '1-0 stock 1 …',
      '2-0 reviews The gateway could not fetch this field. Send the operation again.',
    ]);
    const [failed] = await jobs.list({ state: 'failed', limit: 1 });
    expect(failed?.error).toBe('The attempt ended without a result.');
    expect(logged).toEqual([
      [
        'An internal error ended an attempt at an enrichment job',
        { err: error, job: expect.stringMatching(/^a\.[\w-]{12}$/) },
      ],
    ]);
  });

  test('is published as a failure after the last attempt, becomes a dead letter, and can be retried by an operator', async () => {
    const { enqueue, subscribe, executor, advance, jobs, events } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const token = await enqueue(jobOf('a', ['reviews', 'stock']), attempt);
    const updates = await subscribe(token);
    attempt.complete(successfulResult('stock', 1), failedResult('reviews', 'first'));
    for (const [wait, message] of [
      [500, 'second'],
      [1_000, 'third'],
    ] as const) {
      await waitForTurns();
      advance(wait);
      await waitForTurns();
      executor.lastAttempt.complete(failedResult('reviews', message));
    }
    expect(await collectUpdates(updates)).toEqual(['1-0 stock 1 …', '2-0 reviews third']);
    const [failed] = await jobs.list({ state: undefined, limit: 10 });
    expect(failed).toEqual({
      id: expect.stringMatching(/^a\./),
      state: 'failed',
      coordinates: ['Product.reviews', 'Product.stock'],
      attempts: 3,
      error: 'third',
      ageMs: 1_500,
    });
    const id = failed?.id ?? '';
    expect(await jobs.retry(id)).toBe('retried');
    expect(await jobs.retry(id)).toBe('not failed');
    expect((await jobs.list({ state: 'failed', limit: 10 })).length).toBe(0);
    expect((await jobs.list({ state: 'waiting', limit: 10 })).map((job) => job.id)).toEqual([id]);
    await waitForTurns();
    expect(executor.createdAttempts.at(-1)).toBe('a: reviews');
    expect(executor.created.at(-1)?.job.snapshot).toEqual(jobOf('a').snapshot);
    // The old update stays until there is a new one.
    const before = await jobs.readArrived(token, ada);
    expect([before?.updates.map(formatUpdate), before?.hasNext]).toEqual([
      ['1-0 stock 1 …', '2-0 reviews third …'],
      true,
    ]);
    executor.lastAttempt.complete(successfulResult('reviews', 'at last'));
    await waitForTurns();
    const after = await jobs.readArrived(token, ada);
    expect([after?.updates.map(formatUpdate), after?.hasNext]).toEqual([
      ['1-0 stock 1 …', '3-0 reviews "at last"'],
      false,
    ]);
    expect(await jobs.retry(id)).toBe('unknown');
    expect(events.slice(-3)).toEqual(['NORMAL failed', 'resumed: dead letter', 'NORMAL done']);
  });

  test('can be retried by an operator after all tokens have expired, and becomes a dead letter again', async () => {
    const { enqueue, executor, advance, jobs, timers } = createInMemoryJobs(policyWith({ attempts: 2 }));
    const attempt = new ControlledAttempt();
    await enqueue(jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    await waitForTurns();
    advance(500);
    await waitForTurns();
    executor.lastAttempt.complete(failedResult('reviews'));
    await waitForTurns();
    advance(3_600_000);
    // Only the timer of the dead letters' retention.
    expect(timers.pendingCount).toBe(1);
    const [failed] = await jobs.list({ state: 'failed', limit: 10 });
    expect(await jobs.retry(failed?.id ?? '')).toBe('retried');
    await waitForTurns();
    // Longer than the retention of a log.
    advance(200_000);
    executor.lastAttempt.complete(failedResult('reviews'));
    await waitForTurns();
    advance(500);
    await waitForTurns();
    executor.lastAttempt.complete(failedResult('reviews', 'still'));
    await waitForTurns();
    expect(await jobs.list({ state: undefined, limit: 10 })).toEqual([
      expect.objectContaining({ id: failed?.id, state: 'failed', attempts: 2, error: 'still' }),
    ]);
    advance(100_000);
    expect(timers.pendingCount).toBe(1);
  });

  test('is removed from the dead letters after their retention, although nothing lists them or fails', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const { enqueue, advance, timers, jobs } = createInMemoryJobs(policyWith({ attempts: 1 }));
    const fail = async (id: string) => {
      const [job, attempt] = [jobOf(id), new ControlledAttempt()];
      await enqueue(job, attempt);
      attempt.complete(failedResult('reviews'));
      await waitForTurns();
      return new WeakRef(job.snapshot as object);
    };
    const older = await fail('a');
    advance(1_000);
    const newer = await fail('b');
    advance(defaultPolicy.jobs.deadLetterRetention - 1_000);
    await waitForTurns();
    collectGarbage();
    expect([older.deref(), newer.deref()]).toEqual([undefined, jobOf('b').snapshot]);
    expect(await jobs.list({ state: 'failed', limit: 10 })).toHaveLength(1);
    await waitForTurns();
    advance(1_000);
    expect(timers.pendingCount).toBe(0);
    expect(await jobs.list({ state: 'failed', limit: 10 })).toEqual([]);
  });

  test('is removed from the dead letters when the process closes', async () => {
    const { enqueue, jobs, timers } = createInMemoryJobs(policyWith({ attempts: 1 }));
    const attempt = new ControlledAttempt();
    await enqueue(jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    await waitForTurns();
    await jobs.close(1_000);
    expect([timers.pendingCount, await jobs.list({ state: undefined, limit: 10 })]).toEqual([0, []]);
  });

  test('is not retried with a budgetRatio of 0', async () => {
    const { enqueue, events } = createInMemoryJobs(policyWith({ budgetRatio: 0 }));
    const attempt = new ControlledAttempt();
    await enqueue(jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    await waitForTurns();
    expect(events).toEqual(['created', 'NORMAL failed']);
  });

  test('is not retried beyond the retry budget', async () => {
    const { enqueue, executor, jobs, events } = createInMemoryJobs(
      policyWith({ maxPending: 1_000, maxDeadLetters: 1_000 }),
    );
    for (let number = 0; number < 200; number++) {
      const attempt = new ControlledAttempt();
      await enqueue(jobOf(`${number}`), attempt);
      attempt.complete(failedResult('reviews'));
    }
    await waitForTurns();
    // Ten retries per second for ten seconds, and a fifth of 200 jobs.
    const count = (name: string) => events.filter((event) => event === name).length;
    expect([count('retry'), count('NORMAL failed'), jobs.count, executor.created.length]).toEqual([
      140, 60, 140, 0,
    ]);
  });

  test('is not retried when all tokens have expired', async () => {
    const { enqueue, subscribe, executor, advance, events, jobs } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const updates = await subscribe(await enqueue(jobOf('a'), attempt));
    advance(59_900);
    attempt.complete(failedResult('reviews'));
    await waitForTurns();
    advance(500);
    await waitForTurns();
    expect(executor.createdAttempts).toEqual([]);
    expect([events, jobs.count]).toEqual([['created', 'retry', 'NORMAL expired'], 0]);
    // A subscriber that was there before still gets the failure.
    expect(await collectUpdates(updates)).toEqual(['1-0 reviews It is down.']);
  });

  test('needs no slot any more when its tokens have expired', async () => {
    const { enqueue, executor, advance, events } = createInMemoryJobs(policyWith({ concurrency: 1 }));
    const [expiring, lasting] = [new ControlledAttempt(), new ControlledAttempt()];
    await enqueue(jobOf('expiring'), expiring);
    advance(59_900);
    await enqueue(jobOf('lasting'), lasting);
    for (const attempt of [expiring, lasting]) attempt.complete(failedResult('reviews'));
    await waitForTurns();
    advance(500);
    await waitForTurns();
    expect(events.at(-1)).toBe('NORMAL expired');
    expect(executor.createdAttempts).toEqual(['lasting: reviews']);
  });

  test('is listed with its failed attempts and its last error while it waits', async () => {
    const { enqueue, jobs } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    await enqueue(jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    await waitForTurns();
    expect(await jobs.list({ state: 'waiting', limit: 10 })).toEqual([
      expect.objectContaining({ attempts: 1, error: 'It is down.' }),
    ]);
  });

  test('is published with the failure of the last attempt, not with an earlier one', async () => {
    const { enqueue, subscribe, executor, advance } = createInMemoryJobs(policyWith({ attempts: 2 }));
    const attempt = new ControlledAttempt();
    const token = await enqueue(jobOf('a'), attempt);
    attempt.complete(failedResult('reviews', 'earlier'));
    await waitForTurns();
    advance(500);
    await waitForTurns();
    executor.lastAttempt.complete();
    expect(await collectUpdates(await subscribe(token))).toEqual([
      '1-0 reviews The gateway could not fetch this field. Send the operation again.',
    ]);
  });

  test('waits for a slot by priority', async () => {
    const { enqueue, executor, advance } = createInMemoryJobs(policyWith({ concurrency: 1 }));
    for (const [id, priority] of [
      ['n', 'NORMAL'],
      ['b', 'BACKGROUND'],
      ['c', 'CRITICAL'],
    ] as const) {
      const attempt = new ControlledAttempt();
      await enqueue(jobOf(id, ['reviews'], priority), attempt);
      attempt.complete(failedResult('reviews'));
    }
    await waitForTurns();
    advance(500);
    for (let step = 0; step < 3; step++) {
      await waitForTurns();
      executor.lastAttempt.complete(successfulResult('reviews'));
    }
    expect(executor.createdAttempts).toEqual(['n: reviews', 'c: reviews', 'b: reviews']);
  });

  test('is evicted from the dead letters beyond their number and retention, the oldest first', async () => {
    const { enqueue, jobs, advance } = createInMemoryJobs(policyWith({ attempts: 1, maxDeadLetters: 2 }));
    for (const id of ['a', 'b', 'c']) {
      const attempt = new ControlledAttempt();
      await enqueue(jobOf(id), attempt);
      attempt.complete(failedResult('reviews'));
      await waitForTurns();
      advance(1);
    }
    const ids = async () =>
      (await jobs.list({ state: 'failed', limit: 10 })).map(({ id }) => id.split('.')[0]);
    expect(await ids()).toEqual(['c', 'b']);
    expect((await jobs.list({ state: 'failed', limit: 1 })).length).toBe(1);
    advance(86_400_000 - 2);
    expect(await ids()).toEqual(['c']);
    advance(1);
    expect(await ids()).toEqual([]);
  });
});

describe('while the process is overloaded', () => {
  function createOverloaded() {
    const shed = new Set<EnrichmentPriority>();
    const pool = createInMemoryJobs(policyWith({ concurrency: 1 }), (priority) => shed.has(priority));
    const passSeconds = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second++) {
        pool.advance(1_000);
        await waitForTurns();
      }
    };
    return { ...pool, shed, passSeconds };
  }

  test('attempts of a shed priority wait and use no slot, and continue where they were', async () => {
    const { enqueue, subscribe, executor, events, shed, passSeconds } = createOverloaded();
    shed.add('BACKGROUND');
    const tokens: string[] = [];
    for (const priority of ['BACKGROUND', 'NORMAL'] as const) {
      const attempt = new ControlledAttempt();
      tokens.push(await enqueue(jobOf(priority, ['reviews', 'stock'], priority), attempt));
      attempt.complete(successfulResult('stock', 1), failedResult('reviews'));
    }
    await passSeconds(5);
    expect(executor.createdAttempts).toEqual(['NORMAL: reviews']);
    executor.lastAttempt.complete(successfulResult('reviews'));
    shed.clear();
    await passSeconds(1);
    expect(executor.createdAttempts).toEqual(['NORMAL: reviews', 'BACKGROUND: reviews']);
    executor.lastAttempt.complete(successfulResult('reviews'));
    for (const token of tokens) {
      expect(await collectUpdates(await subscribe(token))).toEqual([
        '1-0 stock 1 …',
        '2-0 reviews "reviews!"',
      ]);
    }
    expect(events.filter((event) => event === 'retry')).toHaveLength(2);
  });

  test('the first attempt of a job does not wait', async () => {
    const { enqueue, subscribe, shed } = createOverloaded();
    shed.add('NORMAL');
    const attempt = new ControlledAttempt();
    const token = await enqueue(jobOf('a'), attempt);
    attempt.complete(successfulResult('reviews'));
    expect(await collectUpdates(await subscribe(token))).toEqual(['1-0 reviews "reviews!"']);
  });

  test('a job that waits ends when its last token has expired', async () => {
    const { enqueue, jobs, executor, events, shed, passSeconds, timers } = createOverloaded();
    shed.add('NORMAL');
    const attempt = new ControlledAttempt();
    await enqueue(jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    await passSeconds(59);
    expect(jobs.count).toBe(1);
    await passSeconds(2);
    expect([jobs.count, executor.createdAttempts, events.at(-1)]).toEqual([0, [], 'NORMAL expired']);
    await passSeconds(9);
    expect(timers.pendingCount).toBe(0);
  });

  test('a shed job that is evicted makes no further attempt', async () => {
    const shed = new Set<EnrichmentPriority>(['BACKGROUND']);
    const { enqueue, executor, advance, events, jobs } = createInMemoryJobs(
      policyWith({ maxPending: 1 }),
      (priority) => shed.has(priority),
    );
    const attempt = new ControlledAttempt();
    await enqueue(jobOf('a', ['reviews'], 'BACKGROUND'), attempt);
    attempt.complete(failedResult('reviews'));
    await waitForTurns();
    advance(500);
    await waitForTurns();
    await enqueue(jobOf('b'), new ControlledAttempt());
    shed.clear();
    advance(10_000);
    await waitForTurns();
    expect([executor.createdAttempts, jobs.count, events]).toEqual([
      [],
      1,
      ['created', 'retry', 'BACKGROUND evicted', 'created'],
    ]);
  });

  test('a dead letter that an operator retries waits', async () => {
    const { enqueue, jobs, executor, shed, passSeconds } = createOverloaded();
    const attempt = new ControlledAttempt();
    await enqueue(jobOf('a'), attempt);
    for (const failing of [attempt, undefined, undefined]) {
      (failing ?? executor.lastAttempt).complete(failedResult('reviews'));
      await passSeconds(2);
    }
    const [failed] = await jobs.list({ state: 'failed', limit: 1 });
    shed.add('NORMAL');
    expect(await jobs.retry(failed?.id ?? '')).toBe('retried');
    await passSeconds(3);
    expect(executor.createdAttempts).toHaveLength(2);
    shed.clear();
    await passSeconds(1);
    expect(executor.createdAttempts).toHaveLength(3);
  });
});
