import { expect, test } from '@jest/globals';
import { MemoryJobStore } from '../../../../gateway/enrichment/jobs/memoryJobStore.ts';
import { UpdateLog } from '../../../../gateway/enrichment/jobs/updateLog.ts';
import {
  createRecordingObserver,
  defaultPolicy,
  jobOf,
  successfulResult,
} from '../../../harness/enrichmentJobsFixture.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';

function createStore(isReplicated: (runId: string) => boolean = () => false) {
  const timers = new FakeTimers();
  const now = () => timers.now();
  const observer = createRecordingObserver([]);
  const store = new MemoryJobStore({ policy: defaultPolicy, timers, now, observer, isReplicated });
  return { store, timers };
}

test('the updates of runs count as active until the runs have ended, were released or have expired', async () => {
  const { store, timers } = createStore();
  const ids = ['settled', 'released', 'expired'];
  for (const id of ids) {
    const fields = ['reviews', 'stock'];
    await store.open({ id, job: jobOf(id, fields) }, { tokenHash: id, ownerHash: 'none' });
    for (const field of fields) store.publish(id, successfulResult(field));
  }
  const bytes = store.logOf('settled')?.size ?? Number.NaN;
  const counted = [store.activeUpdateBytes];
  store.settle('settled', { kind: 'done' });
  counted.push(store.activeUpdateBytes);
  store.release('released');
  counted.push(store.activeUpdateBytes);
  timers.advance(70_000);
  expect(ids.map((id) => store.logOf(id))).toStrictEqual([undefined, undefined, undefined]);
  counted.push(store.activeUpdateBytes);
  expect(counted).toEqual([3 * bytes, 2 * bytes, bytes, 0]);
});

test('the updates of a run that another process has created count with it, and stay while Redis may have the run', () => {
  let isReplicated = true;
  const { store, timers } = createStore(() => isReplicated);
  const log = new UpdateLog(['reviews', 'stock']);
  log.append(successfulResult('reviews'));
  store.restore({ id: 'a', job: jobOf('a', ['reviews', 'stock']) }, log, 0, false);
  expect(store.activeUpdateBytes).toBe(log.size);
  timers.advance(1_000_000);
  expect(store.logOf('a')).toBe(log);
  isReplicated = false;
  timers.advance(70_000);
  expect([store.logOf('a'), store.activeUpdateBytes, timers.pendingCount]).toStrictEqual([undefined, 0, 0]);
});
