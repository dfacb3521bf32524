import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
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
