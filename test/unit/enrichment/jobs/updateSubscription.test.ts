import { expect, test } from '@jest/globals';
import type { JobStore } from '../../../../gateway/enrichment/jobs/jobStore.ts';
import { UpdateLog } from '../../../../gateway/enrichment/jobs/updateLog.ts';
import { UpdateSubscription } from '../../../../gateway/enrichment/jobs/updateSubscription.ts';
import { successfulResult } from '../../../harness/enrichmentJobsFixture.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

/** A store with these logs by the id of their run. */
function storeOf(logs: ReadonlyMap<string, UpdateLog>) {
  const watched: string[] = [];
  const store: Pick<JobStore, 'read' | 'watch'> = {
    read: async (runId, after) => logs.get(runId)?.pageAfter(after),
    watch: (runId) => {
      watched.push(runId);
      return () => void watched.splice(watched.indexOf(runId), 1);
    },
  };
  return { store, watched };
}

function logWith(...fields: readonly string[]): UpdateLog {
  const log = new UpdateLog(fields);
  for (const field of fields) log.append(successfulResult(field));
  return log;
}

test('A subscription to updates that cannot be read ends, and removes its listener', async () => {
  let listeners = 0;
  const updates = new UpdateSubscription({
    store: {
      read: () => Promise.reject(new Error('too many reads')),
      watch: () => {
        listeners += 1;
        return () => {
          listeners -= 1;
        };
      },
    },
    runId: 'a.1',
    after: '0-0',
    findCurrentRun: async () => undefined,
  });
  expect(listeners).toBe(1);
  await expect(updates.next()).rejects.toThrow('too many reads');
  expect(listeners).toBe(0);
  expect(await updates.next()).toEqual({ done: true, value: undefined });
});

test('A subscription that has returned has no further updates, although it has read some', async () => {
  const { store, watched } = storeOf(new Map([['a.1', logWith('reviews', 'stock')]]));
  const updates = new UpdateSubscription({
    store,
    runId: 'a.1',
    after: '0-0',
    findCurrentRun: async () => undefined,
  });
  expect(await updates.next()).toMatchObject({ value: { cursor: '1-0', hasNext: true } });
  await updates.return();
  expect([await updates.next(), watched]).toEqual([{ done: true, value: undefined }, []]);
});

test('A subscription whose token was moved to another run watches that run alone', async () => {
  const { store, watched } = storeOf(new Map([['a.2', new UpdateLog(['reviews'])]]));
  const updates = new UpdateSubscription({
    store,
    runId: 'a.1',
    after: '0-0',
    findCurrentRun: async () => 'a.2',
  });
  const next = updates.next();
  await waitForTurns();
  expect(watched).toEqual(['a.2']);
  await updates.return();
  expect([await next, watched]).toEqual([{ done: true, value: undefined }, []]);
});
