import { describe, expect, test } from '@jest/globals';
import { AdmissionQueue } from '../../../gateway/admission/admissionQueue.ts';
import type { RequestPriority } from '../../../gateway/subgraphs/policies/callPriority.ts';

function createQueue() {
  const executionQueue = { length: 64 };
  const clock = { now: 0 };
  const turns: (() => void)[] = [];
  const dropped: RequestPriority[] = [];
  const log: string[] = [];
  const queue = new AdmissionQueue({
    queueTimeMs: 2_000,
    executionQueue,
    now: () => clock.now,
    inNextTurn: (run) => turns.push(run),
    onDrop: (priority) => dropped.push(priority),
  });
  return {
    queue,
    executionQueue,
    clock,
    dropped,
    log,
    enter(name: string, priority: RequestPriority = 'normal') {
      const request = queue.enter(priority);
      request.turn.then(
        () => log.push(name),
        (error: Error & { readonly code?: string }) => log.push(`${name}: ${error.code ?? error.message}`),
      );
      return request;
    },
    async setWaitingExecutions(count: number) {
      executionQueue.length = count;
      queue.onWaitEnd();
      await settle();
    },
    async nextTurn() {
      for (const run of turns.splice(0)) run();
      await settle();
    },
  };
}

/** Lets everything run that waits for promises only. */
async function settle(): Promise<void> {
  for (let n = 0; n < 5; n++) await null;
}

describe('the queue of requests that are not read', () => {
  test('is closed while 64 executions wait, and while a request waits', async () => {
    const { queue, executionQueue, enter, setWaitingExecutions } = createQueue();
    await setWaitingExecutions(63);
    expect(queue.isClosed).toBe(false);
    await setWaitingExecutions(64);
    expect(queue.isClosed).toBe(true);
    const request = enter('one');
    await setWaitingExecutions(64);
    expect([queue.length, queue.isClosed]).toEqual([1, true]);
    executionQueue.length = 0;
    // The request that waits has its turn first.
    expect(queue.isClosed).toBe(true);
    request.abort(new Error('left'));
    await setWaitingExecutions(0);
    expect(queue.isClosed).toBe(false);
  });

  test('lets a request continue at once while there is room', async () => {
    const { enter, setWaitingExecutions, log } = createQueue();
    await setWaitingExecutions(63);
    enter('one');
    await settle();
    expect(log).toEqual(['one']);
  });

  test('lets requests continue by priority and in the order of arrival when executions have started', async () => {
    const { enter, setWaitingExecutions, log } = createQueue();
    enter('background', 'background');
    enter('first');
    enter('second');
    enter('critical', 'critical');
    await setWaitingExecutions(62);
    expect(log).toEqual(['critical', 'first']);
    await setWaitingExecutions(60);
    expect(log).toEqual(['critical', 'first', 'second', 'background']);
  });

  test('lets no more requests continue in a turn of the event loop than executions may wait', async () => {
    const { enter, setWaitingExecutions, nextTurn, log } = createQueue();
    for (let n = 0; n < 150; n++) enter(`${n}`);
    await setWaitingExecutions(0);
    expect(log).toHaveLength(64);
    // None of them has been executed: they have joined others, or were refused.
    await nextTurn();
    expect(log).toHaveLength(128);
    await setWaitingExecutions(64);
    await nextTurn();
    expect(log).toHaveLength(128);
    await setWaitingExecutions(63);
    expect(log).toHaveLength(129);
  });

  test('fails requests that wait too long, and then starts the newest first', async () => {
    const { queue, clock, enter, setWaitingExecutions, log, dropped } = createQueue();
    enter('oldest');
    clock.now = 1_500;
    enter('older');
    clock.now = 2_001;
    enter('newest');
    await settle();
    expect(log).toEqual(['oldest: OVERLOADED']);
    expect(dropped).toEqual(['normal']);
    expect([queue.isOverloaded('normal'), queue.isOverloaded('critical')]).toEqual([true, false]);
    await setWaitingExecutions(63);
    expect(log.slice(1)).toEqual(['newest']);
    await setWaitingExecutions(62);
    expect(log.slice(2)).toEqual(['older']);
    expect([queue.isOverloaded('normal'), queue.isOverloaded('critical')]).toEqual([false, false]);
  });

  test('forgets a request that is aborted, and ignores an abort after its turn', async () => {
    const { queue, enter, setWaitingExecutions, log, dropped } = createQueue();
    const [left, continued] = [enter('left'), enter('continued')];
    left.abort(new Error('disconnected'));
    left.abort(new Error('again'));
    expect(queue.length).toBe(1);
    await setWaitingExecutions(0);
    continued.abort(new Error('disconnected'));
    await settle();
    expect(log).toEqual(['left: disconnected', 'continued']);
    expect(dropped).toEqual([]);
  });
});
