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
  jobOf,
  policyWith,
  successfulResult,
} from '../../../harness/enrichmentJobsFixture.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

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
    expect(arrived.map((updates) => updates?.updates.length)).toStrictEqual([undefined, 1, 1]);
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
    expect(await lengths(jobs, tokens)).toStrictEqual([1, undefined, undefined, 1, 1]);
    // The updates of the newest job stay, however large they are.
    open.complete(successfulResult('stock'));
    await waitForTurns();
    expect(await lengths(jobs, tokens)).toStrictEqual([2, undefined, undefined, undefined, undefined]);
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
