import { expect, test } from '@jest/globals';
import type { FetchCache } from '../../../../gateway/cache/fetches/fetchCache.ts';
import type { FetchJoiner } from '../../../../gateway/cache/fetches/fetchOutcome.ts';
import { LeaderFetches } from '../../../../gateway/cache/fetches/leaderFetches.ts';
import { SingleFlight } from '../../../../gateway/sharing/singleFlight.ts';

test('a fetch that has been settled is not settled again when the request is abandoned', () => {
  const released: (readonly string[])[] = [];
  const singleFlight = new SingleFlight<FetchJoiner>();
  const cache = { singleFlight, store: { release: (keys: readonly string[]) => released.push(keys) } };
  const fetches = new LeaderFetches(cache as unknown as FetchCache, { onJoin: () => {}, onLeave: () => {} });
  expect([fetches.tryLead('a'), fetches.tryLead('b'), fetches.tryLead('a')]).toEqual([true, true, false]);
  fetches.settle(['a', 'of another request'], { kind: 'completed' });
  // By now, another request may have claimed it.
  fetches.abandon();
  expect([released, singleFlight.size]).toEqual([[['a'], ['b']], 0]);
});
