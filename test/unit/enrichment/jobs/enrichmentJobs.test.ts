import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import type { DeferredEnrichments } from '../../../../gateway/enrichment/deferredEnrichments.ts';
import type { EnrichmentJob, FieldResult } from '../../../../gateway/enrichment/enrichmentJob.ts';
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

test('a finished job keeps its updates and releases its snapshot', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const { enqueue, subscribe } = createInMemoryJobs();
  // A function of its own, so that the test holds no reference to the snapshot.
  const finish = async () => {
    const [job, attempt] = [jobOf('a'), new ControlledAttempt()];
    const token = await enqueue(job, attempt);
    attempt.complete(successfulResult('reviews'));
    return [token, new WeakRef(job.snapshot as object)] as const;
  };
  const [token, snapshot] = await finish();
  await waitForTurns();
  collectGarbage();
  expect(snapshot.deref()).toBeUndefined();
  expect(await collectUpdates(await subscribe(token))).toEqual(['1-0 reviews "reviews!"']);
});

describe('the subscriber of a token', () => {
  test('gets earlier and later updates, each once and in order', async () => {
    const { enqueue, subscribe, jobs } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const token = await enqueue(jobOf('a', ['reviews', 'stock', 'price']), attempt);
    attempt.emit(successfulResult('stock', 5));
    const updates = await subscribe(token);
    expect((await updates.next()).value).toEqual({
      path: ['product', 'stock'],
      label: null,
      data: 5,
      errors: null,
      hasNext: true,
      cursor: '1-0',
    });
    const second = updates.next();
    attempt.emit(successfulResult('reviews'));
    expect(formatUpdate((await second).value)).toBe('2-0 reviews "reviews!" …');
    expect((await jobs.readArrived(token, ada))?.hasNext).toBe(true);
    attempt.complete(failedResult('price', 'There is none.', false));
    expect(await collectUpdates(updates)).toEqual(['3-0 price There is none.']);
    // From the beginning, and after a cursor.
    expect(await collectUpdates(await subscribe(token))).toEqual([
      '1-0 stock 5 …',
      '2-0 reviews "reviews!" …',
      '3-0 price There is none.',
    ]);
    expect(await collectUpdates(await subscribe(token, '2-0'))).toEqual(['3-0 price There is none.']);
    expect(await collectUpdates(await subscribe(token, '3-0'))).toEqual([]);
    const arrived = await jobs.readArrived(token, ada);
    expect([arrived?.updates.map(formatUpdate), arrived?.hasNext]).toEqual([
      ['1-0 stock 5 …', '2-0 reviews "reviews!" …', '3-0 price There is none.'],
      false,
    ]);
  });

  test('is refused with a cursor that no update can have, and gets all updates with an empty one', async () => {
    const { enqueue, subscribe, jobs } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const token = await enqueue(jobOf('a'), attempt);
    attempt.complete(successfulResult('reviews'));
    for (const cursor of ['x', '1', '-1', '1e3', '1-0,2-0', '99999999999999999999-0']) {
      await expect(subscribe(token, cursor)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      await expect(jobs.readArrived(token, ada, cursor)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    }
    expect(await collectUpdates(await subscribe(token, ''))).toEqual(['1-0 reviews "reviews!"']);
  });

  test('can return at once while no update arrives, without cancelling the attempt', async () => {
    const { enqueue, subscribe } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const updates = await subscribe(await enqueue(jobOf('a'), attempt));
    const [first, second] = [updates.next(), updates.next()];
    await waitForTurns();
    expect(await updates.return?.()).toEqual({ done: true, value: undefined });
    expect(await Promise.all([first, second, updates.next()])).toEqual(
      new Array(3).fill({ done: true, value: undefined }),
    );
    expect(attempt.isCancelled).toBe(false);
  });

  test('gets updates that arrive while earlier ones are read', async () => {
    const { enqueue, subscribe } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const fields = ['a', 'b', 'c', 'd'];
    const token = await enqueue(jobOf('x', fields), attempt);
    const subscriptions = await Promise.all([subscribe(token), subscribe(token), subscribe(token)]);
    const all = subscriptions.map(collectUpdates);
    for (const field of fields) {
      attempt.emit(successfulResult(field, 1));
      await Promise.resolve();
    }
    for (const updates of await Promise.all(all)) {
      expect(updates).toEqual(['1-0 a 1 …', '2-0 b 1 …', '3-0 c 1 …', '4-0 d 1']);
    }
  });

  test('gets nothing for a token that is another caller’s, unknown, malformed or expired', async () => {
    const { enqueue, jobs, advance } = createInMemoryJobs();
    const token = await enqueue(jobOf('a'), new ControlledAttempt());
    const read = async (text: string, tokenOwner: string | undefined) => [
      await jobs.subscribe(text, { tokenOwner }, undefined),
      await jobs.readArrived(text, { tokenOwner }),
    ];
    const nothing = [undefined, undefined];
    expect(await read(token, 'bob')).toEqual(nothing);
    expect(await read(token, undefined)).toEqual(nothing);
    expect(await read('a'.repeat(32), 'ada')).toEqual(nothing);
    expect(await read('', 'ada')).toEqual(nothing);
    advance(59_999);
    expect(await read(token, 'ada')).not.toContain(undefined);
    advance(1);
    expect(await read(token, 'ada')).toEqual(nothing);
  });

  test('any client gets the updates of a token without an owner', async () => {
    const { enqueue, jobs } = createInMemoryJobs();
    const token = await enqueue(jobOf('a'), new ControlledAttempt(), { tokenOwner: undefined });
    for (const tokenOwner of ['ada', undefined]) {
      expect(await jobs.subscribe(token, { tokenOwner }, undefined)).toBeDefined();
      expect(await jobs.readArrived(token, { tokenOwner })).toBeDefined();
    }
  });

  test('continues to read after the token has expired, and gets ENRICHMENT_EXPIRED when the log is evicted', async () => {
    const { enqueue, subscribe, advance, timers } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const updates = await subscribe(await enqueue(jobOf('a', ['reviews', 'stock']), attempt));
    advance(60_000);
    attempt.emit(successfulResult('reviews'));
    expect(formatUpdate((await updates.next()).value)).toBe('1-0 reviews "reviews!" …');
    const last = updates.next();
    advance(10_000);
    await expect(last).rejects.toMatchObject({ code: 'ENRICHMENT_EXPIRED' });
    expect(await updates.next()).toEqual({ done: true, value: undefined });
    expect(timers.pendingCount).toBe(0);
  });
});

describe('equal jobs', () => {
  test('share one run while it is unfinished', async () => {
    const { enqueue, subscribe, events, jobs } = createInMemoryJobs();
    const [attempt, second, third] = [
      new ControlledAttempt(),
      new ControlledAttempt(),
      new ControlledAttempt(),
    ];
    const tokens = [
      await enqueue(jobOf('a'), attempt),
      await enqueue(jobOf('a'), second, { tokenOwner: 'bob' }),
    ];
    expect([attempt.isCancelled, second.isCancelled, jobs.count]).toEqual([false, true, 1]);
    attempt.complete(successfulResult('reviews'));
    expect(await collectUpdates(await subscribe(tokens[0] ?? ''))).toEqual(['1-0 reviews "reviews!"']);
    expect(
      (await jobs.readArrived(tokens[1] ?? '', { tokenOwner: 'bob' }))?.updates.map(formatUpdate),
    ).toEqual(['1-0 reviews "reviews!"']);
    // A finished run may have outdated data, so it is not shared.
    const token = await enqueue(jobOf('a'), third);
    third.complete(successfulResult('reviews', 'new'));
    expect(await collectUpdates(await subscribe(token))).toEqual(['1-0 reviews "new"']);
    expect(events).toEqual(['created', 'joined', 'NORMAL done', 'created', 'NORMAL done']);
  });

  test('share the newer one of two runs when the older one has ended', async () => {
    const { enqueue, events, advance } = createInMemoryJobs();
    const [older, newer, joining] = [
      new ControlledAttempt(),
      new ControlledAttempt(),
      new ControlledAttempt(),
    ];
    await enqueue(jobOf('a'), older);
    // The tokens and the log of the older one expire while its attempt is running.
    advance(70_000);
    await enqueue(jobOf('a'), newer);
    older.complete(successfulResult('reviews'));
    await waitForTurns();
    await enqueue(jobOf('a'), joining);
    expect(events).toEqual(['created', 'created', 'NORMAL done', 'joined']);
    expect(joining.isCancelled).toBe(true);
  });

  test('share no run that has an update, which may be outdated', async () => {
    const { enqueue, subscribe, events } = createInMemoryJobs();
    const [attempt, second] = [new ControlledAttempt(), new ControlledAttempt()];
    await enqueue(jobOf('a', ['reviews', 'stock']), attempt);
    attempt.complete(successfulResult('stock', 'old'), failedResult('reviews'));
    await waitForTurns();
    const token = await enqueue(jobOf('a', ['reviews', 'stock']), second);
    second.complete(successfulResult('stock', 'new'), successfulResult('reviews'));
    expect(await collectUpdates(await subscribe(token))).toEqual([
      '1-0 stock "new" …',
      '2-0 reviews "reviews!"',
    ]);
    expect(events).toEqual(['created', 'retry', 'created', 'NORMAL done']);
  });

  test('that wait for another attempt continue with the execution of the later response', async () => {
    const { enqueue, subscribe, executor, advance, events } = createInMemoryJobs();
    const [attempt, second, third] = [
      new ControlledAttempt(),
      new ControlledAttempt(),
      new ControlledAttempt(),
    ];
    const tokens = [await enqueue(jobOf('a'), attempt)];
    attempt.complete(failedResult('reviews'));
    await waitForTurns();
    tokens.push(await enqueue(jobOf('a'), second));
    advance(500);
    await waitForTurns();
    expect([second.isCancelled, executor.createdAttempts]).toEqual([false, []]);
    // Its failure does not count as an attempt.
    second.complete(failedResult('reviews', 'second'));
    await waitForTurns();
    advance(500);
    await waitForTurns();
    executor.lastAttempt.complete(failedResult('reviews', 'third'));
    await waitForTurns();
    tokens.push(await enqueue(jobOf('a'), third));
    third.complete(successfulResult('reviews'));
    for (const token of tokens)
      expect(await collectUpdates(await subscribe(token))).toEqual(['1-0 reviews "reviews!"']);
    expect(events).toEqual(['created', 'retry', 'joined', 'retry', 'joined', 'NORMAL done']);
    advance(10_000);
    await waitForTurns();
    expect(executor.createdAttempts).toEqual(['a: reviews']);
  });

  test('keep their log until the last token expires', async () => {
    const { enqueue, subscribe, advance } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    await enqueue(jobOf('a'), attempt);
    advance(50_000);
    const token = await enqueue(jobOf('a'), new ControlledAttempt());
    advance(59_000);
    attempt.complete(successfulResult('reviews'));
    expect(await collectUpdates(await subscribe(token))).toEqual(['1-0 reviews "reviews!"']);
  });
});

describe('a job that another process runs', () => {
  /** Jobs of which the store says after a while that the tokens belong to a run of another process. */
  function createSharedJobs() {
    const jobs = createInMemoryJobs(policyWith({ maxPending: 1 }));
    const moved = Promise.withResolvers<string>();
    const { store } = jobs;
    const open = store.open.bind(store);
    store.open = (run, token) => open(run, token).then(() => moved.promise);
    return { ...jobs, moveTokens: () => moved.resolve('a.other') };
  }

  test('is discarded with its attempt, and settles nothing', async () => {
    const { jobs, events, moveTokens } = createSharedJobs();
    const attempt = new ControlledAttempt();
    const issued = jobs.enqueue(jobOf('a'), attempt, ada);
    moveTokens();
    expect(await issued).toBeDefined();
    expect([attempt.isCancelled, jobs.count, events]).toEqual([true, 0, ['joined']]);
  });

  test('is discarded once, although its attempt has ended before', async () => {
    const { jobs, events, moveTokens } = createSharedJobs();
    const attempt = new ControlledAttempt();
    const issued = jobs.enqueue(jobOf('a'), attempt, ada);
    attempt.complete(successfulResult('reviews'));
    await waitForTurns();
    moveTokens();
    await issued;
    expect([jobs.count, events]).toEqual([0, ['NORMAL done', 'joined']]);
    // Discarded twice, it would leave room for a job that is too large.
    const { maxPendingSize } = defaultPolicy.jobs;
    const large = { ...jobOf('b'), size: maxPendingSize + 1 };
    expect(await jobs.enqueue(large, new ControlledAttempt(), ada)).toBeUndefined();
  });
});

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

describe('a full job pool', () => {
  /** A pool whose jobs all wait for another attempt, one with each of these priorities. */
  async function createFullPool(priorities: readonly ('CRITICAL' | 'NORMAL' | 'BACKGROUND')[]) {
    const pool = createInMemoryJobs(policyWith({ maxPending: priorities.length }));
    const tokens: string[] = [];
    for (const [number, priority] of priorities.entries()) {
      const attempt = new ControlledAttempt();
      tokens.push(await pool.enqueue(jobOf(`${number}`, ['reviews'], priority), attempt));
      attempt.complete(failedResult('reviews', `failed ${number}`));
      await waitForTurns();
    }
    return { ...pool, tokens };
  }

  test('evicts the longest waiting background job, then the longest waiting normal one, then refuses the new one', async () => {
    const { jobs, subscribe, events, tokens } = await createFullPool([
      'NORMAL',
      'CRITICAL',
      'BACKGROUND',
      'BACKGROUND',
    ]);
    const outcomes: boolean[] = [];
    for (const id of ['a', 'b', 'c', 'd']) {
      const attempt = new ControlledAttempt();
      outcomes.push((await jobs.enqueue(jobOf(id), attempt, ada)) !== undefined);
      expect(attempt.isCancelled).toBe(outcomes.at(-1) === false);
    }
    expect(outcomes).toEqual([true, true, true, false]);
    expect(events.filter((event) => event.endsWith('evicted'))).toEqual([
      'BACKGROUND evicted',
      'BACKGROUND evicted',
      'NORMAL evicted',
    ]);
    expect(events.at(-1)).toBe('refused');
    expect(jobs.count).toBe(4);
    // Subscribers of an evicted job get its last failure.
    expect(await collectUpdates(await subscribe(tokens[2] ?? ''))).toEqual(['1-0 reviews failed 2']);
  });

  test('makes no further attempt at a job that was evicted before its delay was over, or right after', async () => {
    const early = await createFullPool(['BACKGROUND']);
    await early.enqueue(jobOf('a'), new ControlledAttempt());
    early.advance(500);
    await waitForTurns();
    const late = await createFullPool(['BACKGROUND']);
    late.advance(500);
    await late.enqueue(jobOf('a'), new ControlledAttempt());
    await waitForTurns();
    expect([early.events.at(-2), late.events.at(-2)]).toEqual(['BACKGROUND evicted', 'BACKGROUND evicted']);
    expect([early.executor.createdAttempts, late.executor.createdAttempts]).toEqual([[], []]);
  });

  test('evicts no job for a less important one, and none with a running attempt', async () => {
    const { jobs, events } = await createFullPool(['NORMAL']);
    expect(
      await jobs.enqueue(jobOf('b', ['reviews'], 'BACKGROUND'), new ControlledAttempt(), ada),
    ).toBeUndefined();
    expect(await jobs.enqueue(jobOf('a'), new ControlledAttempt(), ada)).toBeDefined();
    expect(
      await jobs.enqueue(jobOf('c', ['reviews'], 'CRITICAL'), new ControlledAttempt(), ada),
    ).toBeUndefined();
    expect(events.slice(-3)).toEqual(['NORMAL evicted', 'created', 'refused']);
  });

  test('evicts no job whose further attempt is running', async () => {
    const { jobs, advance, executor, events } = await createFullPool(['BACKGROUND']);
    advance(500);
    await waitForTurns();
    expect(executor.createdAttempts).toEqual(['0: reviews']);
    expect(await jobs.enqueue(jobOf('a'), new ControlledAttempt(), ada)).toBeUndefined();
    executor.lastAttempt.complete(successfulResult('reviews'));
    await waitForTurns();
    expect(events.slice(-2)).toEqual(['refused', 'BACKGROUND done']);
  });

  test('answers `busy` to a retry, and the job stays a dead letter', async () => {
    const { enqueue, jobs } = createInMemoryJobs(policyWith({ attempts: 1, maxPending: 1 }));
    const attempt = new ControlledAttempt();
    await enqueue(jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    await waitForTurns();
    const second = new ControlledAttempt();
    await enqueue(jobOf('b'), second);
    const [failed] = await jobs.list({ state: 'failed', limit: 10 });
    expect(await jobs.retry(failed?.id ?? '')).toBe('busy');
    const waiting = await jobs.list({ state: 'waiting', limit: 10 });
    expect(waiting.map(({ id }) => id.split('.')[0])).toEqual(['b']);
    second.complete(successfulResult('reviews'));
    await waitForTurns();
    expect(await jobs.retry(failed?.id ?? '')).toBe('retried');
  });

  test('expires the token of a job whose updates were evicted, also if an operator retries it', async () => {
    const { enqueue, jobs, executor } = createInMemoryJobs(policyWith({ attempts: 1, maxPending: 1 }));
    const finish = async (id: string, ...results: FieldResult[]) => {
      const attempt = new ControlledAttempt();
      const token = await enqueue(jobOf(id, ['reviews', 'stock']), attempt);
      attempt.complete(...results);
      await waitForTurns();
      return token;
    };
    const token = await finish('a', successfulResult('reviews'), failedResult('stock'));
    await finish('b', successfulResult('reviews'), successfulResult('stock'));
    const running = new ControlledAttempt();
    await enqueue(jobOf('c'), running);
    const [failed] = await jobs.list({ state: 'failed', limit: 1 });
    expect(await jobs.readArrived(token, ada)).toBeUndefined();
    expect(await jobs.retry(failed?.id ?? '')).toBe('busy');
    // Otherwise its client would take it that there are no updates.
    expect(await jobs.readArrived(token, ada)).toBeUndefined();
    running.complete(successfulResult('reviews'));
    await waitForTurns();
    expect(await jobs.retry(failed?.id ?? '')).toBe('retried');
    await waitForTurns();
    executor.lastAttempt.complete(successfulResult('stock'));
    await waitForTurns();
    // Otherwise it would take it that there is no other update than the one of the retried field.
    expect(await jobs.readArrived(token, ada)).toBeUndefined();
  });

  test('evicts the updates of the oldest finished jobs beyond the maximum number of jobs', async () => {
    const { enqueue, jobs, events } = createInMemoryJobs(policyWith({ maxPending: 2 }));
    const tokens: string[] = [];
    for (const id of ['a', 'b', 'c']) {
      const attempt = new ControlledAttempt();
      tokens.push(await enqueue(jobOf(id), attempt));
      attempt.complete(successfulResult('reviews'));
      await waitForTurns();
    }
    expect(events.slice(-2)).toEqual(['updates evicted: 1', 'NORMAL done']);
    const arrived = await Promise.all(tokens.map((token) => jobs.readArrived(token, ada)));
    expect(arrived.map((updates) => updates?.updates.length)).toEqual([undefined, 1, 1]);
  });
});

describe('updates beyond maxUpdatesSize', () => {
  // The update has 53 bytes without the data.
  const large = (bytes: number) => successfulResult('reviews', 'x'.repeat(bytes - 53));
  const lengths = (jobs: DeferredEnrichments, tokens: readonly string[]) =>
    Promise.all(tokens.map(async (token) => (await jobs.readArrived(token, ada))?.updates.length));

  test('are evicted for the oldest finished jobs', async () => {
    const { enqueue, jobs, events } = createInMemoryJobs(policyWith({ maxUpdatesSize: 2_000 }));
    const [tokens, open] = [[] as string[], new ControlledAttempt()];
    tokens.push(await enqueue(jobOf('open', ['reviews', 'stock']), open));
    // Updates of an unfinished job count when it has ended.
    open.emit(large(5_000));
    for (const bytes of [900, 900, 100, 1_500]) {
      const attempt = new ControlledAttempt();
      tokens.push(await enqueue(jobOf(`${tokens.length}`), attempt));
      attempt.complete(large(bytes));
      await waitForTurns();
    }
    expect(events.filter((event) => event.startsWith('updates evicted'))).toEqual([
      'updates evicted: 1',
      'updates evicted: 1',
    ]);
    expect(await lengths(jobs, tokens)).toEqual([1, undefined, undefined, 1, 1]);
    // The updates of the newest job stay, however large they are.
    open.complete(successfulResult('stock'));
    await waitForTurns();
    expect(await lengths(jobs, tokens)).toEqual([2, undefined, undefined, undefined, undefined]);
    expect(events.filter((event) => event.startsWith('updates evicted'))).toHaveLength(4);
  });

  test('no longer count when they have expired', async () => {
    const { enqueue, jobs, events, advance } = createInMemoryJobs(policyWith({ maxUpdatesSize: 1_000 }));
    for (let round = 0; round < 3; round++) {
      const attempt = new ControlledAttempt();
      const token = await enqueue(jobOf(`${round}`), attempt);
      attempt.complete(large(900));
      await waitForTurns();
      expect(await lengths(jobs, [token])).toEqual([1]);
      advance(70_000);
    }
    expect(events.filter((event) => event.startsWith('updates evicted'))).toEqual([]);
  });
});

describe('jobs beyond maxPendingSize', () => {
  const sized = (id: string, size: number, priority?: EnrichmentPriority) => ({
    ...jobOf(id, ['reviews'], priority),
    size,
  });

  /** A pool whose jobs all wait for another attempt, the oldest first. */
  async function createWaitingPool(...jobs: EnrichmentJob[]) {
    const pool = createInMemoryJobs(policyWith({ maxPendingSize: 1_000, attempts: 2 }));
    for (const job of jobs) {
      const attempt = new ControlledAttempt();
      await pool.enqueue(job, attempt);
      attempt.complete(failedResult('reviews', `failed ${job.id}`));
      await waitForTurns();
    }
    return pool;
  }

  test('evict as many of the longest waiting jobs as necessary, background jobs first', async () => {
    const { jobs, events, enqueue } = await createWaitingPool(
      sized('n', 300),
      sized('b1', 300, 'BACKGROUND'),
      sized('b2', 300, 'BACKGROUND'),
    );
    await enqueue(sized('a', 100), new ControlledAttempt());
    expect(events.filter((event) => event.endsWith('evicted'))).toEqual([]);
    await enqueue(sized('c', 600, 'CRITICAL'), new ControlledAttempt());
    expect(events.filter((event) => event.endsWith('evicted'))).toEqual([
      'BACKGROUND evicted',
      'BACKGROUND evicted',
    ]);
    const open = await jobs.list({ state: 'waiting', limit: 10 });
    expect(open.map(({ id }) => id.split('.')[0]).sort()).toEqual(['a', 'c', 'n']);
  });

  test('evict no job when that would not make enough room', async () => {
    const { jobs, events } = await createWaitingPool(
      sized('c', 600, 'CRITICAL'),
      sized('b', 300, 'BACKGROUND'),
    );
    const attempt = new ControlledAttempt();
    expect(await jobs.enqueue(sized('a', 401), attempt, ada)).toBeUndefined();
    expect([attempt.isCancelled, jobs.count, events.at(-1)]).toEqual([true, 2, 'refused']);
    expect(await jobs.enqueue(sized('a', 400), new ControlledAttempt(), ada)).toBeDefined();
    expect(events.slice(-2)).toEqual(['BACKGROUND evicted', 'created']);
  });

  test('are refused when one job alone exceeds the limit', async () => {
    const { jobs, events } = await createWaitingPool();
    expect(await jobs.enqueue(sized('a', 1_001), new ControlledAttempt(), ada)).toBeUndefined();
    expect(await jobs.enqueue(sized('a', 1_000), new ControlledAttempt(), ada)).toBeDefined();
    expect(events).toEqual(['refused', 'created']);
  });

  test('do not include jobs that have ended', async () => {
    const { enqueue, advance, executor, events, jobs } = await createWaitingPool(sized('failing', 1_000));
    advance(500);
    await waitForTurns();
    executor.lastAttempt.complete(failedResult('reviews'));
    await waitForTurns();
    const [done, dropped] = [new ControlledAttempt(), new ControlledAttempt()];
    await enqueue(sized('done', 1_000), done);
    done.complete(successfulResult('reviews'));
    await waitForTurns();
    await enqueue(sized('dropped', 1_000), dropped);
    dropped.complete(failedResult('reviews'));
    await waitForTurns();
    await enqueue(sized('last', 1_000), new ControlledAttempt());
    expect(events.filter((event) => event.startsWith('NORMAL'))).toEqual([
      'NORMAL failed',
      'NORMAL done',
      'NORMAL evicted',
    ]);
    const [failed] = await jobs.list({ state: 'failed', limit: 1 });
    expect(await jobs.retry(failed?.id ?? '')).toBe('busy');
  });

  test('evict the oldest dead letters, which have the same limit of their own', async () => {
    const { enqueue, jobs } = createInMemoryJobs(policyWith({ maxPendingSize: 1_000, attempts: 1 }));
    const ids = async () =>
      (await jobs.list({ state: 'failed', limit: 10 })).map(({ id }) => id.split('.')[0]).sort();
    for (const [id, size] of [
      ['a', 400],
      ['b', 400],
      ['c', 200],
    ] as const) {
      const attempt = new ControlledAttempt();
      await enqueue(sized(id, size), attempt);
      attempt.complete(failedResult('reviews'));
      await waitForTurns();
    }
    expect(await ids()).toEqual(['a', 'b', 'c']);
    const attempt = new ControlledAttempt();
    await enqueue(sized('d', 500), attempt);
    attempt.complete(failedResult('reviews'));
    await waitForTurns();
    expect(await ids()).toEqual(['c', 'd']);
  });
});

describe('a job with a snapshot beyond maxSnapshotSize', () => {
  const large = () => ({
    ...jobOf('a', ['reviews', 'stock']),
    snapshotSize: defaultPolicy.jobs.maxSnapshotSize + 1,
  });

  test('is finished by the running attempt, and its snapshot is released', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const { enqueue, subscribe, events } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const begin = async () => {
      const job = large();
      return [await enqueue(job, attempt), new WeakRef(job.snapshot as object)] as const;
    };
    const [token, snapshot] = await begin();
    await waitForTurns();
    collectGarbage();
    expect(snapshot.deref()).toBeUndefined();
    attempt.complete(successfulResult('stock', 1), successfulResult('reviews'));
    expect(await collectUpdates(await subscribe(token))).toEqual(['1-0 stock 1 …', '2-0 reviews "reviews!"']);
    expect(events).toEqual(['not persisted: too large', 'created', 'NORMAL done']);
  });

  test('is not retried, and does not become a dead letter', async () => {
    const { enqueue, subscribe, executor, advance, events, jobs } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const token = await enqueue(large(), attempt);
    const [job] = await jobs.list({ state: 'waiting', limit: 10 });
    attempt.complete(successfulResult('stock', 1), failedResult('reviews'));
    expect(await collectUpdates(await subscribe(token))).toEqual([
      '1-0 stock 1 …',
      '2-0 reviews It is down.',
    ]);
    advance(500);
    await waitForTurns();
    expect([executor.createdAttempts, jobs.count]).toEqual([[], 0]);
    expect(events).toEqual(['not persisted: too large', 'created', 'NORMAL too large']);
    expect(await jobs.list({ state: undefined, limit: 10 })).toEqual([]);
    expect(await jobs.retry(job?.id ?? '')).toBe('unknown');
  });

  test('is one whose snapshot is larger than the limit, not as large', async () => {
    const { enqueue, events } = createInMemoryJobs();
    await enqueue(
      { ...jobOf('a'), snapshotSize: defaultPolicy.jobs.maxSnapshotSize },
      new ControlledAttempt(),
    );
    expect(events).toEqual(['created']);
  });
});

describe('EnrichmentJobs.drain', () => {
  test('ends when the last running attempt has failed, although its job waits for another one', async () => {
    const { jobs, enqueue } = createInMemoryJobs();
    const [attempt, other] = [new ControlledAttempt(), new ControlledAttempt()];
    await enqueue(jobOf('a'), attempt);
    await enqueue(jobOf('b'), other);
    let hasDrained = false;
    const drained = jobs.drain().then(() => {
      hasDrained = true;
    });
    other.complete(successfulResult('reviews'));
    await waitForTurns();
    expect(hasDrained).toBe(false);
    attempt.complete(failedResult('reviews'));
    await drained;
    expect(jobs.count).toBe(1);
  });

  test('lets operators retry no dead letter, which would begin another attempt', async () => {
    const { jobs, enqueue } = createInMemoryJobs(policyWith({ attempts: 1 }));
    const attempt = new ControlledAttempt();
    await enqueue(jobOf('a'), attempt);
    attempt.complete(failedResult('reviews'));
    await waitForTurns();
    const [failed] = await jobs.list({ state: 'failed', limit: 1 });
    await jobs.drain();
    expect([await jobs.retry(failed?.id ?? ''), jobs.count]).toEqual(['busy', 0]);
  });
});

describe('EnrichmentJobs.close', () => {
  test('waits for running attempts, and refuses new jobs', async () => {
    const { enqueue, jobs, logged } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    await enqueue(jobOf('a'), attempt);
    let isClosed = false;
    const closed = jobs.close(1_000).then(() => {
      isClosed = true;
    });
    await waitForTurns();
    expect(isClosed).toBe(false);
    const refused = new ControlledAttempt();
    expect(await jobs.enqueue(jobOf('b'), refused, ada)).toBeUndefined();
    expect(refused.isCancelled).toBe(true);
    attempt.complete(successfulResult('reviews'));
    await closed;
    expect(logged).toEqual([]);
  });

  test('releases jobs that wait for another attempt, and logs no error of attempts that it cancels', async () => {
    const { enqueue, jobs, logged, timers } = createInMemoryJobs();
    const waiting = new ControlledAttempt();
    await enqueue(jobOf('a'), waiting);
    waiting.complete(failedResult('reviews'));
    await waitForTurns();
    const running = new ControlledAttempt();
    running.cancel = () => running.fail(new Error('cancelled'));
    await enqueue(jobOf('b', ['stock']), running);
    const closed = jobs.close(1_000);
    await waitForTurns();
    timers.advance(1_000);
    await closed;
    await waitForTurns();
    expect(logged).toEqual([
      [expect.stringContaining('stops before'), { fields: { 'Product.reviews': 1, 'Product.stock': 1 } }],
    ]);
    expect([jobs.count, timers.pendingCount]).toEqual([0, 0]);
  });

  test('logs the number of pending fields by coordinate when the time is over', async () => {
    const { enqueue, subscribe, jobs, logged, timers } = createInMemoryJobs();
    const attempt = new ControlledAttempt();
    const updates = await subscribe(await enqueue(jobOf('a', ['reviews', 'stock']), attempt));
    await enqueue(jobOf('b'), new ControlledAttempt());
    const next = expect(updates.next()).rejects.toMatchObject({ code: 'OVERLOADED' });
    const closed = jobs.close(1_000);
    await waitForTurns();
    timers.advance(1_000);
    await closed;
    // Not ENRICHMENT_EXPIRED: another process may have the updates.
    await next;
    expect(attempt.isCancelled).toBe(true);
    expect(logged).toEqual([
      [
        'This process stops before it has fetched all pending enrichments (listen.drainTimeout)',
        { fields: { 'Product.reviews': 2, 'Product.stock': 1 } },
      ],
    ]);
    expect(timers.pendingCount).toBe(0);
  });
});
