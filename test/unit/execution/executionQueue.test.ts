import { describe, expect, test } from '@jest/globals';
import { buildSchema } from 'graphql';
import { ExecutionQueue } from '../../../gateway/execution/executionQueue.ts';
import type { RequestPriority } from '../../../gateway/subgraphs/policies/callPriority.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { rootFetch } from '../../harness/fetchNodes.ts';
import { createLocalPipeline } from '../../harness/localPipeline.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import { waitUntil } from '../../harness/waitUntil.ts';

const sampleMs = 20;
function createQueue() {
  const timers = new FakeTimers();
  const load = { utilization: 1 };
  const dropped: RequestPriority[] = [];
  const queue = new ExecutionQueue({
    queueTimeMs: 2_000,
    timers,
    readUtilization: () => load.utilization,
    onDrop: (priority) => dropped.push(priority),
  });
  const log: string[] = [];
  let running = 0;
  const enter = (
    name: string,
    { priority, deadline = 60_000 }: { priority?: RequestPriority; deadline?: number } = {},
    { signal } = new AbortController(),
  ): void => {
    const start = (): void => {
      running += 1;
      log.push(name);
    };
    const turn = queue.enter({ preferences: { priority, isAutoDefer: false }, deadline }, signal);
    if (turn === undefined) start();
    else turn.then(start, (error: unknown) => log.push(`${name}: ${(error as { code: string }).code}`));
  };
  const end = async (count = 1): Promise<void> => {
    for (let n = 0; n < count; n++) {
      running -= 1;
      queue.leave();
      await settle();
    }
  };
  const sample = async (utilization: number, times = 1): Promise<void> => {
    load.utilization = utilization;
    for (let n = 0; n < times; n++) {
      timers.advance(sampleMs);
      await settle();
    }
  };
  /** As many as may be under way while the event loop is saturated. */
  const fill = async (): Promise<void> => {
    for (let n = 0; n < 64; n++) enter(`first ${n}`);
    await sample(1);
    log.length = 0;
  };
  return { queue, timers, log, dropped, enter, end, sample, fill, running: () => running };
}

/** Lets everything run that waits for promises only. */
async function settle(): Promise<void> {
  for (let n = 0; n < 5; n++) await null;
}

describe('the queue of executions', () => {
  test('lets every execution start at once while the event loop has time left', async () => {
    const { enter, sample, running, queue } = createQueue();
    for (let n = 0; n < 40; n++) {
      for (let k = 0; k < 20 + n; k++) enter(`${n} ${k}`);
      expect(queue.length).toBe(0);
      await sample(0.5);
    }
    expect(running()).toBe(1_580);
  });

  test('starts no timer for a few executions, and none is left after many', async () => {
    const { enter, end, sample, timers } = createQueue();
    for (let n = 0; n < 32; n++) enter(`${n}`);
    expect(timers.pendingCount).toBe(0);
    enter('one more');
    expect(timers.pendingCount).toBe(1);
    await end(33);
    await sample(1);
    expect(timers.pendingCount).toBe(0);
  });

  test('lets those that arrive in the same moment wait until the effect of the first ones is known', async () => {
    const { enter, sample, running } = createQueue();
    for (let n = 0; n < 500; n++) enter(`${n}`);
    expect(running()).toBe(64);
    await sample(1, 3);
    expect(running()).toBe(64);
    await sample(0.1, 2);
    expect(running()).toBe(144);
    await sample(0.1, 4);
    expect(running()).toBe(500);
  });

  test('holds back those above 64 while the event loop is saturated, and starts one whenever another ends', async () => {
    const { fill, enter, end, log, running, queue } = createQueue();
    await fill();
    expect(running()).toBe(64);
    for (const name of ['a', 'b', 'c']) enter(name);
    await settle();
    expect(log).toEqual([]);
    expect(queue.length).toBe(3);
    await end(2);
    expect(log).toEqual(['a', 'b']);
    expect(running()).toBe(64);
  });

  test('starts more of them as soon as the event loop has time left', async () => {
    const { fill, enter, sample, log, running } = createQueue();
    await fill();
    for (let n = 0; n < 40; n++) enter(`${n}`);
    await sample(0.95);
    expect(log).toEqual([]);
    await sample(0.8);
    expect(log).toHaveLength(32);
    expect(running()).toBe(96);
  });

  test('does not count executions that only wait for a slow subgraph: others start after a moment', async () => {
    const { enter, sample, log, running } = createQueue();
    for (let n = 0; n < 300; n++) enter(`slow ${n}`);
    await sample(0.1, 3);
    await sample(1);
    enter('other');
    await settle();
    expect(log).not.toContain('other');
    // Nothing else is left to do.
    await sample(0.1);
    expect(log).toContain('other');
    expect(running()).toBe(301);
  });

  test('starts them by priority, and then in the order of arrival', async () => {
    const { fill, enter, end, log } = createQueue();
    await fill();
    enter('background', { priority: 'background' });
    enter('normal');
    enter('critical', { priority: 'critical' });
    enter('second normal');
    await end(4);
    expect(log).toEqual(['critical', 'normal', 'second normal', 'background']);
  });

  test('fails those that wait too long in an overloaded queue, and then starts the newest first', async () => {
    const { fill, enter, end, log, dropped, timers, queue } = createQueue();
    await fill();
    enter('oldest');
    enter('old, in the background', { priority: 'background' });
    timers.advance(1_500);
    enter('older');
    timers.advance(400);
    expect([queue.isOverloaded('normal'), queue.isOverloaded('critical')]).toEqual([false, false]);
    timers.advance(101);
    enter('newest');
    await settle();
    expect([queue.isOverloaded('normal'), queue.isOverloaded('critical')]).toEqual([true, false]);
    expect(log).toEqual(['oldest: OVERLOADED', 'old, in the background: OVERLOADED']);
    expect(dropped).toEqual(['normal', 'background']);
    await end(2);
    expect(log.slice(2)).toEqual(['newest', 'older']);
    expect([queue.isOverloaded('normal'), queue.isOverloaded('critical')]).toEqual([false, false]);
  });

  test('fails one whose deadline passes, and forgets one whose client disconnects', async () => {
    const { fill, enter, end, sample, log, queue, timers } = createQueue();
    await fill();
    const client = new AbortController();
    enter('abandoned', {}, client);
    enter('urgent', { deadline: timers.now() + sampleMs });
    enter('patient');
    client.abort();
    await sample(1);
    expect(log).toEqual(['abandoned: REQUEST_ABORTED', 'urgent: DEADLINE_EXCEEDED']);
    expect(queue.length).toBe(1);
    await end();
    expect(log.at(-1)).toBe('patient');
    enter('too late', { deadline: timers.now() - 1 });
    const gone = new AbortController();
    gone.abort();
    enter('gone', {}, gone);
    await settle();
    expect(log.slice(-2).toSorted()).toEqual(['gone: REQUEST_ABORTED', 'too late: DEADLINE_EXCEEDED']);
  });
});

function createPipeline(queue: ExecutionQueue) {
  const sdl = 'type Query { answer: Int }';
  const schema = buildSchema(sdl);
  return createLocalPipeline({
    planner: {
      plan: async () => ({
        kind: 'QueryPlan',
        node: rootFetch('answer', { serviceName: 'only' }),
      }),
      close: async () => {},
    },
    sdl,
    apiSchema: schema,
    subgraphs: new Map([['only', schema]]),
    executionQueue: queue,
  });
}

test('an operation calls no subgraph until it is its turn, and leaves its turn to others when it has ended', async () => {
  const { queue, fill, end, enter, log } = createQueue();
  await fill();
  const pipeline = createPipeline(queue);
  const answer = pipeline.execute('{ answer }');
  await waitUntil(() => queue.length === 1);
  expect(pipeline.calls).toEqual([]);
  enter('next', { deadline: Number.POSITIVE_INFINITY });
  await end();
  expect(await answer).toEqual({ data: { answer: null } });
  expect(pipeline.calls).toHaveLength(1);
  await settle();
  expect(log).toEqual(['next']);
});

test('an operation whose client disconnects while it waits for its turn leaves no rejected promise behind', async () => {
  const { queue, fill } = createQueue();
  await fill();
  const client = new AbortController();
  const unhandled: unknown[] = [];
  const record = (reason: unknown): number => unhandled.push(reason);
  process.on('unhandledRejection', record);
  try {
    const answer = createPipeline(queue).respond('{ answer }', {}, undefined, undefined, client.signal);
    await waitUntil(() => queue.length === 1);
    client.abort();
    await expect(answer).rejects.toMatchObject({ code: 'REQUEST_ABORTED' });
    await waitForTurns(2);
    expect(unhandled).toEqual([]);
  } finally {
    process.off('unhandledRejection', record);
  }
});
