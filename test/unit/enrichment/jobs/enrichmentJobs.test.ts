import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import type { DeferredEnrichments } from '../../../../gateway/enrichment/deferredEnrichments.ts';
import type { EnrichmentJob } from '../../../../gateway/enrichment/enrichmentJob.ts';
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

test('what is done is remembered by its updates, and not with what it was made of', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { handOver, follow } = createInMemoryJobs();
  // Nothing of it stays in the test.
  const finish = async () => {
    const [job, run] = [jobOf('a'), new ControlledAttempt()];
    const token = await handOver(job, run);
    run.complete(successfulResult('reviews'));
    return [token, new WeakRef(job.snapshot as object)] as const;
  };
  const [token, snapshot] = await finish();
  await waitForTurns();
  collect();
  expect(snapshot.deref()).toBeUndefined();
  expect(await collectUpdates(await follow(token))).toEqual(['1-0 reviews "reviews!"']);
});

describe('who holds the token', () => {
  test('gets what has come and what comes, each once and in order', async () => {
    const { handOver, follow, late } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const token = await handOver(jobOf('a', ['reviews', 'stock', 'price']), run);
    run.emit(successfulResult('stock', 5));
    const updates = await follow(token);
    expect((await updates.next()).value).toEqual({
      path: ['product', 'stock'],
      label: null,
      data: 5,
      errors: null,
      hasNext: true,
      cursor: '1-0',
    });
    const second = updates.next();
    run.emit(successfulResult('reviews'));
    expect(formatUpdate((await second).value)).toBe('2-0 reviews "reviews!" …');
    expect((await late.readArrived(token, ada))?.hasNext).toBe(true);
    run.complete(failedResult('price', 'There is none.', false));
    expect(await collectUpdates(updates)).toEqual(['3-0 price There is none.']);
    // From the beginning, and from a cursor on.
    expect(await collectUpdates(await follow(token))).toEqual([
      '1-0 stock 5 …',
      '2-0 reviews "reviews!" …',
      '3-0 price There is none.',
    ]);
    expect(await collectUpdates(await follow(token, '2-0'))).toEqual(['3-0 price There is none.']);
    expect(await collectUpdates(await follow(token, '3-0'))).toEqual([]);
    const arrived = await late.readArrived(token, ada);
    expect([arrived?.updates.map(formatUpdate), arrived?.hasNext]).toEqual([
      ['1-0 stock 5 …', '2-0 reviews "reviews!" …', '3-0 price There is none.'],
      false,
    ]);
  });

  test('begins anew with a cursor that is none', async () => {
    const { handOver, follow } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const token = await handOver(jobOf('a'), run);
    run.complete(successfulResult('reviews'));
    expect(await collectUpdates(await follow(token, 'x'))).toEqual(['1-0 reviews "reviews!"']);
  });

  test('leaves at once, also while nothing comes', async () => {
    const { handOver, follow } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const updates = await follow(await handOver(jobOf('a'), run));
    const [first, second] = [updates.next(), updates.next()];
    await waitForTurns();
    expect(await updates.return?.()).toEqual({ done: true, value: undefined });
    expect(await Promise.all([first, second, updates.next()])).toEqual(
      new Array(3).fill({ done: true, value: undefined }),
    );
    expect(run.isCancelled).toBe(false);
  });

  test('gets updates that come while the ones before are read', async () => {
    const { handOver, follow } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const fields = ['a', 'b', 'c', 'd'];
    const token = await handOver(jobOf('x', fields), run);
    const followers = await Promise.all([follow(token), follow(token), follow(token)]);
    const all = followers.map(collectUpdates);
    for (const field of fields) {
      run.emit(successfulResult(field, 1));
      await Promise.resolve();
    }
    for (const updates of await Promise.all(all)) {
      expect(updates).toEqual(['1-0 a 1 …', '2-0 b 1 …', '3-0 c 1 …', '4-0 d 1']);
    }
  });

  test('is who got it: tokens that are foreign, unknown, malformed or expired lead nowhere', async () => {
    const { handOver, late, pass } = createInMemoryJobs();
    const token = await handOver(jobOf('a'), new ControlledAttempt());
    const ask = async (text: string, identity: string) => [
      await late.subscribe(text, { identity }, undefined),
      await late.readArrived(text, { identity }),
    ];
    const nothing = [undefined, undefined];
    expect(await ask(token, 'bob')).toEqual(nothing);
    expect(await ask('a'.repeat(32), 'ada')).toEqual(nothing);
    expect(await ask('', 'ada')).toEqual(nothing);
    pass(59_999);
    expect(await ask(token, 'ada')).not.toContain(undefined);
    pass(1);
    expect(await ask(token, 'ada')).toEqual(nothing);
  });

  test('reads on for a while when the token has expired, and is told that the rest is forgotten', async () => {
    const { handOver, follow, pass, timers } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const updates = await follow(await handOver(jobOf('a', ['reviews', 'stock']), run));
    pass(60_000);
    run.emit(successfulResult('reviews'));
    expect(formatUpdate((await updates.next()).value)).toBe('1-0 reviews "reviews!" …');
    const last = updates.next();
    pass(10_000);
    await expect(last).rejects.toMatchObject({ code: 'ENRICHMENT_EXPIRED' });
    expect(await updates.next()).toEqual({ done: true, value: undefined });
    expect(timers.pendingCount).toBe(0);
  });
});

describe('equal jobs', () => {
  test('are one, as long as it is under way', async () => {
    const { handOver, follow, events, late } = createInMemoryJobs();
    const [run, second, third] = [new ControlledAttempt(), new ControlledAttempt(), new ControlledAttempt()];
    const tokens = [await handOver(jobOf('a'), run), await handOver(jobOf('a'), second, { identity: 'bob' })];
    expect([run.isCancelled, second.isCancelled, late.count]).toEqual([false, true, 1]);
    run.complete(successfulResult('reviews'));
    expect(await collectUpdates(await follow(tokens[0] ?? ''))).toEqual(['1-0 reviews "reviews!"']);
    expect((await late.readArrived(tokens[1] ?? '', { identity: 'bob' }))?.updates.map(formatUpdate)).toEqual(
      ['1-0 reviews "reviews!"'],
    );
    // What has ended may be out of date.
    const token = await handOver(jobOf('a'), third);
    third.complete(successfulResult('reviews', 'new'));
    expect(await collectUpdates(await follow(token))).toEqual(['1-0 reviews "new"']);
    expect(events).toEqual(['begun', 'joined', 'NORMAL done', 'begun', 'NORMAL done']);
  });

  test('live as long as the last token', async () => {
    const { handOver, follow, pass } = createInMemoryJobs();
    const run = new ControlledAttempt();
    await handOver(jobOf('a'), run);
    pass(50_000);
    const token = await handOver(jobOf('a'), new ControlledAttempt());
    pass(59_000);
    run.complete(successfulResult('reviews'));
    expect(await collectUpdates(await follow(token))).toEqual(['1-0 reviews "reviews!"']);
  });
});

describe('what fails', () => {
  test('is tried again, for the places that are missing, and shown when it succeeds', async () => {
    const { handOver, follow, runner, pass, events } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const token = await handOver(jobOf('a', ['reviews', 'stock']), run);
    run.complete(failedResult('reviews'), successfulResult('stock', 1));
    await waitForTurns();
    expect(runner.startedAttempts).toEqual([]);
    pass(500);
    await waitForTurns();
    expect(runner.startedAttempts).toEqual(['a: reviews']);
    expect(runner.attempts[0]?.deadlineMs).toBe(15_000);
    runner.lastAttempt.complete(successfulResult('reviews'));
    expect(await collectUpdates(await follow(token))).toEqual(['1-0 stock 1 …', '2-0 reviews "reviews!"']);
    expect(events).toEqual(['begun', 'retry', 'NORMAL done']);
  });

  test('is tried again when an attempt breaks off or brings nothing', async () => {
    const { handOver, follow, runner, pass, logged } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const token = await handOver(jobOf('a', ['reviews', 'stock']), run);
    run.emit(successfulResult('stock', 1));
    const fault = new Error('A fault.');
    run.fail(fault);
    await waitForTurns();
    pass(500);
    await waitForTurns();
    runner.lastAttempt.complete();
    await waitForTurns();
    pass(1_000);
    await waitForTurns();
    expect(runner.startedAttempts).toEqual(['a: reviews', 'a: reviews']);
    runner.lastAttempt.complete();
    expect(await collectUpdates(await follow(token))).toEqual([
      '1-0 stock 1 …',
      '2-0 reviews This part of the answer could not be fetched.',
    ]);
    expect(logged).toEqual([
      [
        'An enrichment failed by a fault of the gateway',
        { error: fault, job: expect.stringMatching(/^a\.[\w-]{12}$/) },
      ],
    ]);
  });

  test('shows its last failure after the last attempt, is put aside, and can be tried again by hand', async () => {
    const { handOver, follow, runner, pass, late, events } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const token = await handOver(jobOf('a', ['reviews', 'stock']), run);
    const updates = await follow(token);
    run.complete(successfulResult('stock', 1), failedResult('reviews', 'first'));
    for (const [wait, message] of [
      [500, 'second'],
      [1_000, 'third'],
    ] as const) {
      await waitForTurns();
      pass(wait);
      await waitForTurns();
      runner.lastAttempt.complete(failedResult('reviews', message));
    }
    expect(await collectUpdates(updates)).toEqual(['1-0 stock 1 …', '2-0 reviews third']);
    const [failed] = await late.list({ state: undefined, limit: 10 });
    expect(failed).toEqual({
      id: expect.stringMatching(/^a\./),
      state: 'failed',
      coordinates: ['Product.reviews', 'Product.stock'],
      attempts: 3,
      error: 'third',
      ageMs: 1_500,
    });
    const id = failed?.id ?? '';
    expect(await late.retry(id)).toBe('retried');
    expect(await late.retry(id)).toBe('not failed');
    expect((await late.list({ state: 'failed', limit: 10 })).length).toBe(0);
    expect((await late.list({ state: 'waiting', limit: 10 })).map((job) => job.id)).toEqual([id]);
    await waitForTurns();
    expect(runner.startedAttempts.at(-1)).toBe('a: reviews');
    expect(runner.attempts.at(-1)?.job.snapshot).toEqual(jobOf('a').snapshot);
    // It is open again; the old update stands until there is a new one.
    const before = await late.readArrived(token, ada);
    expect([before?.updates.map(formatUpdate), before?.hasNext]).toEqual([
      ['1-0 stock 1 …', '2-0 reviews third …'],
      true,
    ]);
    runner.lastAttempt.complete(successfulResult('reviews', 'at last'));
    await waitForTurns();
    const after = await late.readArrived(token, ada);
    expect([after?.updates.map(formatUpdate), after?.hasNext]).toEqual([
      ['1-0 stock 1 …', '3-0 reviews "at last"'],
      false,
    ]);
    expect(await late.retry(id)).toBe('unknown');
    expect(events.slice(-3)).toEqual(['NORMAL failed', 'adopted: put aside', 'NORMAL done']);
  });

  test('is tried again by hand when all tokens have expired, and put aside again', async () => {
    const { handOver, runner, pass, late, timers } = createInMemoryJobs(policyWith({ attempts: 2 }));
    const run = new ControlledAttempt();
    await handOver(jobOf('a'), run);
    run.complete(failedResult('reviews'));
    await waitForTurns();
    pass(500);
    await waitForTurns();
    runner.lastAttempt.complete(failedResult('reviews'));
    await waitForTurns();
    pass(3_600_000);
    // What is put aside waits for its end, and nothing else.
    expect(timers.pendingCount).toBe(1);
    const [failed] = await late.list({ state: 'failed', limit: 10 });
    expect(await late.retry(failed?.id ?? '')).toBe('retried');
    await waitForTurns();
    // Longer than a log is kept.
    pass(200_000);
    runner.lastAttempt.complete(failedResult('reviews'));
    await waitForTurns();
    pass(500);
    await waitForTurns();
    runner.lastAttempt.complete(failedResult('reviews', 'still'));
    await waitForTurns();
    expect(await late.list({ state: undefined, limit: 10 })).toEqual([
      expect.objectContaining({ id: failed?.id, state: 'failed', attempts: 2, error: 'still' }),
    ]);
    pass(100_000);
    expect(timers.pendingCount).toBe(1);
  });

  test('leaves after a while, also when nobody asks and nothing else fails', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { handOver, pass, timers, late } = createInMemoryJobs(policyWith({ attempts: 1 }));
    const fail = async (id: string) => {
      const [job, run] = [jobOf(id), new ControlledAttempt()];
      await handOver(job, run);
      run.complete(failedResult('reviews'));
      await waitForTurns();
      return new WeakRef(job.snapshot as object);
    };
    const older = await fail('a');
    pass(1_000);
    const newer = await fail('b');
    pass(defaultPolicy.jobs.keepFailedFor - 1_000);
    await waitForTurns();
    collect();
    expect([older.deref(), newer.deref()]).toEqual([undefined, jobOf('b').snapshot]);
    expect(await late.list({ state: 'failed', limit: 10 })).toHaveLength(1);
    await waitForTurns();
    pass(1_000);
    expect(timers.pendingCount).toBe(0);
    expect(await late.list({ state: 'failed', limit: 10 })).toEqual([]);
  });

  test('is forgotten when the process ends', async () => {
    const { handOver, late, timers } = createInMemoryJobs(policyWith({ attempts: 1 }));
    const run = new ControlledAttempt();
    await handOver(jobOf('a'), run);
    run.complete(failedResult('reviews'));
    await waitForTurns();
    await late.close();
    expect([timers.pendingCount, await late.list({ state: undefined, limit: 10 })]).toEqual([0, []]);
  });

  test('is not tried again beyond the retry budget', async () => {
    const { handOver, runner, late, events } = createInMemoryJobs(
      policyWith({ maxPending: 1_000, keepFailed: 1_000 }),
    );
    for (let number = 0; number < 200; number++) {
      const run = new ControlledAttempt();
      await handOver(jobOf(`${number}`), run);
      run.complete(failedResult('reviews'));
    }
    await waitForTurns();
    // 10 seconds with 10 each, and a fifth of 200 jobs.
    const count = (name: string) => events.filter((event) => event === name).length;
    expect([count('retry'), count('NORMAL failed'), late.count, runner.attempts.length]).toEqual([
      140, 60, 140, 0,
    ]);
  });

  test('is dropped when nobody can pick it up any more', async () => {
    const { handOver, follow, runner, pass, events, late } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const updates = await follow(await handOver(jobOf('a'), run));
    pass(59_900);
    run.complete(failedResult('reviews'));
    await waitForTurns();
    pass(500);
    await waitForTurns();
    expect(runner.startedAttempts).toEqual([]);
    expect([events, late.count]).toEqual([['begun', 'retry', 'NORMAL unwanted'], 0]);
    // Who has followed all the time hears of it.
    expect(await collectUpdates(updates)).toEqual(['1-0 reviews It is down.']);
  });

  test('waits for its turn, the important first', async () => {
    const { handOver, runner, pass } = createInMemoryJobs(policyWith({ concurrency: 1 }));
    for (const [id, priority] of [
      ['n', 'NORMAL'],
      ['b', 'BACKGROUND'],
      ['c', 'CRITICAL'],
    ] as const) {
      const run = new ControlledAttempt();
      await handOver(jobOf(id, ['reviews'], priority), run);
      run.complete(failedResult('reviews'));
    }
    await waitForTurns();
    pass(500);
    for (let step = 0; step < 3; step++) {
      await waitForTurns();
      runner.lastAttempt.complete(successfulResult('reviews'));
    }
    expect(runner.startedAttempts).toEqual(['n: reviews', 'c: reviews', 'b: reviews']);
  });

  test('keeps only so many aside, for so long', async () => {
    const { handOver, late, pass } = createInMemoryJobs(policyWith({ attempts: 1, keepFailed: 2 }));
    for (const id of ['a', 'b', 'c']) {
      const run = new ControlledAttempt();
      await handOver(jobOf(id), run);
      run.complete(failedResult('reviews'));
      await waitForTurns();
      pass(1);
    }
    const ids = async () =>
      (await late.list({ state: 'failed', limit: 10 })).map(({ id }) => id.split('.')[0]);
    expect(await ids()).toEqual(['c', 'b']);
    expect((await late.list({ state: 'failed', limit: 1 })).length).toBe(1);
    pass(86_400_000 - 2);
    expect(await ids()).toEqual(['c']);
    pass(1);
    expect(await ids()).toEqual([]);
  });
});

describe('where there is no room', () => {
  /** Two jobs wait, of which `priorities` are the importances. */
  async function full(priorities: readonly ('CRITICAL' | 'NORMAL' | 'BACKGROUND')[]) {
    const parts = createInMemoryJobs(policyWith({ maxPending: priorities.length }));
    const tokens: string[] = [];
    for (const [number, priority] of priorities.entries()) {
      const run = new ControlledAttempt();
      tokens.push(await parts.handOver(jobOf(`${number}`, ['reviews'], priority), run));
      run.complete(failedResult('reviews', `failed ${number}`));
      await waitForTurns();
    }
    return { ...parts, tokens };
  }

  test('the oldest background job that waits goes first, then the oldest normal one, then the new one', async () => {
    const { late, follow, events, tokens } = await full(['NORMAL', 'CRITICAL', 'BACKGROUND', 'BACKGROUND']);
    const outcomes: boolean[] = [];
    for (const id of ['a', 'b', 'c', 'd']) {
      const run = new ControlledAttempt();
      outcomes.push((await late.enqueue(jobOf(id), run, ada)) !== undefined);
      expect(run.isCancelled).toBe(outcomes.at(-1) === false);
    }
    expect(outcomes).toEqual([true, true, true, false]);
    expect(events.filter((event) => event.endsWith('no room'))).toEqual([
      'BACKGROUND no room',
      'BACKGROUND no room',
      'NORMAL no room',
    ]);
    expect(events.at(-1)).toBe('refused');
    expect(late.count).toBe(4);
    // Nobody waits for what does not come any more.
    expect(await collectUpdates(await follow(tokens[2] ?? ''))).toEqual(['1-0 reviews failed 2']);
  });

  test('nothing is dropped for something less important, nor while an attempt is under way', async () => {
    const { late, events } = await full(['NORMAL']);
    expect(
      await late.enqueue(jobOf('b', ['reviews'], 'BACKGROUND'), new ControlledAttempt(), ada),
    ).toBeUndefined();
    expect(await late.enqueue(jobOf('a'), new ControlledAttempt(), ada)).toBeDefined();
    expect(
      await late.enqueue(jobOf('c', ['reviews'], 'CRITICAL'), new ControlledAttempt(), ada),
    ).toBeUndefined();
    expect(events.slice(-3)).toEqual(['NORMAL no room', 'begun', 'refused']);
  });

  test('a job tried again by hand waits for room, and is still put aside', async () => {
    const { handOver, late } = createInMemoryJobs(policyWith({ attempts: 1, maxPending: 1 }));
    const run = new ControlledAttempt();
    await handOver(jobOf('a'), run);
    run.complete(failedResult('reviews'));
    await waitForTurns();
    const second = new ControlledAttempt();
    await handOver(jobOf('b'), second);
    const [failed] = await late.list({ state: 'failed', limit: 10 });
    expect(await late.retry(failed?.id ?? '')).toBe('busy');
    second.complete(successfulResult('reviews'));
    await waitForTurns();
    expect(await late.retry(failed?.id ?? '')).toBe('retried');
  });

  test('updates of what is done are forgotten, the oldest first', async () => {
    const { handOver, late, events } = createInMemoryJobs(policyWith({ maxPending: 2 }));
    const tokens: string[] = [];
    for (const id of ['a', 'b', 'c']) {
      const run = new ControlledAttempt();
      tokens.push(await handOver(jobOf(id), run));
      run.complete(successfulResult('reviews'));
      await waitForTurns();
    }
    expect(events.slice(-2)).toEqual(['forgotten: 1', 'NORMAL done']);
    const arrived = await Promise.all(tokens.map((token) => late.readArrived(token, ada)));
    expect(arrived.map((updates) => updates?.updates.length)).toEqual([undefined, 1, 1]);
  });
});

describe('where updates are too many bytes', () => {
  // What is around the data has 53 bytes.
  const large = (bytes: number) => successfulResult('reviews', 'x'.repeat(bytes - 53));
  const lengths = (late: DeferredEnrichments, tokens: readonly string[]) =>
    Promise.all(tokens.map(async (token) => (await late.readArrived(token, ada))?.updates.length));

  test('those of the oldest that are done are forgotten', async () => {
    const { handOver, late, events } = createInMemoryJobs(policyWith({ maxUpdatesSize: 2_000 }));
    const [tokens, open] = [[] as string[], new ControlledAttempt()];
    tokens.push(await handOver(jobOf('open', ['reviews', 'stock']), open));
    // What is under way counts when it is done.
    open.emit(large(5_000));
    for (const bytes of [900, 900, 100, 1_500]) {
      const run = new ControlledAttempt();
      tokens.push(await handOver(jobOf(`${tokens.length}`), run));
      run.complete(large(bytes));
      await waitForTurns();
    }
    expect(events.filter((event) => event.startsWith('forgotten'))).toEqual(['forgotten: 1', 'forgotten: 1']);
    expect(await lengths(late, tokens)).toEqual([1, undefined, undefined, 1, 1]);
    // However large they are, those of the newest stay for who was about to come.
    open.complete(successfulResult('stock'));
    await waitForTurns();
    expect(await lengths(late, tokens)).toEqual([2, undefined, undefined, undefined, undefined]);
    expect(events.filter((event) => event.startsWith('forgotten'))).toHaveLength(4);
  });

  test('there is room for as many again when they have expired', async () => {
    const { handOver, late, events, pass } = createInMemoryJobs(policyWith({ maxUpdatesSize: 1_000 }));
    for (let round = 0; round < 3; round++) {
      const run = new ControlledAttempt();
      const token = await handOver(jobOf(`${round}`), run);
      run.complete(large(900));
      await waitForTurns();
      expect(await lengths(late, [token])).toEqual([1]);
      pass(70_000);
    }
    expect(events.filter((event) => event.startsWith('forgotten'))).toEqual([]);
  });
});

describe('where jobs are too many bytes', () => {
  const sized = (id: string, size: number, priority?: EnrichmentPriority) => ({
    ...jobOf(id, ['reviews'], priority),
    size,
  });

  /** Jobs that wait for another attempt, the oldest first. */
  async function waiting(...jobs: EnrichmentJob[]) {
    const parts = createInMemoryJobs(policyWith({ maxPendingSize: 1_000, attempts: 2 }));
    for (const job of jobs) {
      const run = new ControlledAttempt();
      await parts.handOver(job, run);
      run.complete(failedResult('reviews', `failed ${job.id}`));
      await waitForTurns();
    }
    return parts;
  }

  test('as many of the oldest leave as there has to be room, background jobs first', async () => {
    const { late, events, handOver } = await waiting(
      sized('n', 300),
      sized('b1', 300, 'BACKGROUND'),
      sized('b2', 300, 'BACKGROUND'),
    );
    await handOver(sized('a', 100), new ControlledAttempt());
    expect(events.filter((event) => event.endsWith('no room'))).toEqual([]);
    await handOver(sized('c', 600, 'CRITICAL'), new ControlledAttempt());
    expect(events.filter((event) => event.endsWith('no room'))).toEqual([
      'BACKGROUND no room',
      'BACKGROUND no room',
    ]);
    const open = await late.list({ state: 'waiting', limit: 10 });
    expect(open.map(({ id }) => id.split('.')[0]).sort()).toEqual(['a', 'c', 'n']);
  });

  test('nobody leaves for what there would be no room for all the same', async () => {
    const { late, events } = await waiting(sized('c', 600, 'CRITICAL'), sized('b', 300, 'BACKGROUND'));
    const run = new ControlledAttempt();
    expect(await late.enqueue(sized('a', 401), run, ada)).toBeUndefined();
    expect([run.isCancelled, late.count, events.at(-1)]).toEqual([true, 2, 'refused']);
    expect(await late.enqueue(sized('a', 400), new ControlledAttempt(), ada)).toBeDefined();
    expect(events.slice(-2)).toEqual(['BACKGROUND no room', 'begun']);
  });

  test('what is larger than all may be has no token', async () => {
    const { late, events } = await waiting();
    expect(await late.enqueue(sized('a', 1_001), new ControlledAttempt(), ada)).toBeUndefined();
    expect(await late.enqueue(sized('a', 1_000), new ControlledAttempt(), ada)).toBeDefined();
    expect(events).toEqual(['refused', 'begun']);
  });

  test('what has ended takes no room, however it did', async () => {
    const { handOver, pass, runner, events, late } = await waiting(sized('failing', 1_000));
    pass(500);
    await waitForTurns();
    runner.lastAttempt.complete(failedResult('reviews'));
    await waitForTurns();
    const [done, dropped] = [new ControlledAttempt(), new ControlledAttempt()];
    await handOver(sized('done', 1_000), done);
    done.complete(successfulResult('reviews'));
    await waitForTurns();
    await handOver(sized('dropped', 1_000), dropped);
    dropped.complete(failedResult('reviews'));
    await waitForTurns();
    await handOver(sized('last', 1_000), new ControlledAttempt());
    expect(events.filter((event) => event.startsWith('NORMAL'))).toEqual([
      'NORMAL failed',
      'NORMAL done',
      'NORMAL no room',
    ]);
    const [failed] = await late.list({ state: 'failed', limit: 1 });
    expect(await late.retry(failed?.id ?? '')).toBe('busy');
  });

  test('what is put aside is as many bytes at most, the oldest leave first', async () => {
    const { handOver, late } = createInMemoryJobs(policyWith({ maxPendingSize: 1_000, attempts: 1 }));
    const ids = async () =>
      (await late.list({ state: 'failed', limit: 10 })).map(({ id }) => id.split('.')[0]).sort();
    for (const [id, size] of [
      ['a', 400],
      ['b', 400],
      ['c', 200],
    ] as const) {
      const run = new ControlledAttempt();
      await handOver(sized(id, size), run);
      run.complete(failedResult('reviews'));
      await waitForTurns();
    }
    expect(await ids()).toEqual(['a', 'b', 'c']);
    const run = new ControlledAttempt();
    await handOver(sized('d', 500), run);
    run.complete(failedResult('reviews'));
    await waitForTurns();
    expect(await ids()).toEqual(['c', 'd']);
  });
});

describe('what was made of more than is kept for another attempt', () => {
  const large = () => ({
    ...jobOf('a', ['reviews', 'stock']),
    snapshotSize: defaultPolicy.jobs.maxSnapshotSize + 1,
  });

  test('is finished by the run that is under way, and not kept', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { handOver, follow, events } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const begin = async () => {
      const job = large();
      return [await handOver(job, run), new WeakRef(job.snapshot as object)] as const;
    };
    const [token, snapshot] = await begin();
    await waitForTurns();
    collect();
    expect(snapshot.deref()).toBeUndefined();
    run.complete(successfulResult('stock', 1), successfulResult('reviews'));
    expect(await collectUpdates(await follow(token))).toEqual(['1-0 stock 1 …', '2-0 reviews "reviews!"']);
    expect(events).toEqual(['kept here: too large', 'begun', 'NORMAL done']);
  });

  test('is not tried again, and not put aside', async () => {
    const { handOver, follow, runner, pass, events, late } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const token = await handOver(large(), run);
    const [job] = await late.list({ state: 'waiting', limit: 10 });
    run.complete(successfulResult('stock', 1), failedResult('reviews'));
    expect(await collectUpdates(await follow(token))).toEqual(['1-0 stock 1 …', '2-0 reviews It is down.']);
    pass(500);
    await waitForTurns();
    expect([runner.startedAttempts, late.count]).toEqual([[], 0]);
    expect(events).toEqual(['kept here: too large', 'begun', 'NORMAL too large']);
    expect(await late.list({ state: undefined, limit: 10 })).toEqual([]);
    expect(await late.retry(job?.id ?? '')).toBe('unknown');
  });

  test('is what is larger, and not what is as large', async () => {
    const { handOver, events } = createInMemoryJobs();
    await handOver(
      { ...jobOf('a'), snapshotSize: defaultPolicy.jobs.maxSnapshotSize },
      new ControlledAttempt(),
    );
    expect(events).toEqual(['begun']);
  });
});

describe('closing', () => {
  test('lets attempts under way end', async () => {
    const { handOver, late, logged } = createInMemoryJobs();
    const run = new ControlledAttempt();
    await handOver(jobOf('a'), run);
    let isClosed = false;
    const closed = late.close().then(() => {
      isClosed = true;
    });
    await waitForTurns();
    expect(isClosed).toBe(false);
    const refused = new ControlledAttempt();
    expect(await late.enqueue(jobOf('b'), refused, ada)).toBeUndefined();
    expect(refused.isCancelled).toBe(true);
    run.complete(successfulResult('reviews'));
    await closed;
    expect(logged).toEqual([]);
  });

  test('says what is left, by field, when the time is over', async () => {
    const { handOver, follow, late, logged, timers } = createInMemoryJobs();
    const run = new ControlledAttempt();
    const updates = await follow(await handOver(jobOf('a', ['reviews', 'stock']), run));
    await handOver(jobOf('b'), new ControlledAttempt());
    const next = expect(updates.next()).rejects.toMatchObject({ code: 'OVERLOADED' });
    const closed = late.close();
    await waitForTurns();
    timers.advance(1_000);
    await closed;
    // Another process may know more.
    await next;
    expect(run.isCancelled).toBe(true);
    expect(logged).toEqual([
      [
        'Enrichments are left that this process did not finish',
        { fields: { 'Product.reviews': 2, 'Product.stock': 1 } },
      ],
    ]);
    expect(timers.pendingCount).toBe(0);
  });
});
