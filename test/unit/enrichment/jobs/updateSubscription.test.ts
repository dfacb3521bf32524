import { expect, test } from '@jest/globals';
import { UpdateSubscription } from '../../../../gateway/enrichment/jobs/updateSubscription.ts';

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
