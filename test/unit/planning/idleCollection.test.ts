import { Worker } from 'node:worker_threads';
import { describe, expect, test } from '@jest/globals';
import { collectWhenIdle } from '../../../gateway/planning/idleCollection.ts';
import type { PlannerThreadData } from '../../../gateway/planning/plannerMessages.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { composeTwoSubgraphShelf } from '../../harness/shelfGraphs.ts';
import { testPlanningLimits } from '../../harness/testPlanningLimits.ts';

describe('the heap of the planner thread', () => {
  test('is collected a second after loading, and a minute after the last operation', () => {
    const timers = new FakeTimers();
    let collections = 0;
    const postpone = collectWhenIdle(() => {
      collections += 1;
    }, timers);

    postpone();
    expect(timers.pendingMs()).toEqual([1_000]);
    timers.fire(1_000);
    expect([collections, timers.pendingMs()]).toEqual([1, []]);

    postpone();
    postpone();
    expect(timers.pendingMs()).toEqual([60_000]);
    timers.fire(60_000);
    expect([collections, timers.pendingMs()]).toEqual([2, []]);
  });

  test('is smaller after it was idle', async () => {
    const { sdl } = await composeTwoSubgraphShelf();
    const data: PlannerThreadData = { sdl, ...testPlanningLimits };
    const entry = new URL('../../../gateway/planning/plannerWorker.ts', import.meta.url);
    const worker = new Worker(entry, { workerData: data });
    try {
      await new Promise((resolve) => worker.once('message', resolve));
      const { total_heap_size: loaded } = await worker.getHeapStatistics();

      let size = loaded;
      while (size > loaded * 0.8) ({ total_heap_size: size } = await worker.getHeapStatistics());
    } finally {
      await worker.terminate();
    }
  });
});
