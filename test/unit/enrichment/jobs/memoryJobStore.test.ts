import { expect, test } from '@jest/globals';
import { MemoryJobStore } from '../../../../gateway/enrichment/jobs/memoryJobStore.ts';
import {
  createRecordingObserver,
  defaultPolicy,
  jobOf,
  successfulResult,
} from '../../../harness/enrichmentJobsFixture.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';

test('the updates of runs count as active until the runs have ended, were released or have expired', async () => {
  const timers = new FakeTimers();
  const store = new MemoryJobStore({
    policy: defaultPolicy,
    timers,
    now: () => timers.now(),
    observer: createRecordingObserver([]),
  });
  const ids = ['settled', 'released', 'expired'];
  for (const id of ids) {
    await store.open({ id, job: jobOf(id) }, { tokenHash: id, ownerHash: 'none', traceparent: undefined });
    store.publish(id, successfulResult('reviews'));
  }
  const bytes = store.logOf('settled')?.size ?? Number.NaN;
  const counted = [store.activeUpdateBytes];
  store.settle('settled', { kind: 'done' });
  counted.push(store.activeUpdateBytes);
  store.release('released');
  counted.push(store.activeUpdateBytes);
  timers.advance(70_000);
  expect(ids.map((id) => store.logOf(id))).toEqual([undefined, undefined, undefined]);
  counted.push(store.activeUpdateBytes);
  expect(counted).toEqual([3 * bytes, 2 * bytes, bytes, 0]);
});
