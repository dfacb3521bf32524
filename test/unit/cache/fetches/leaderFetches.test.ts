import { expect, test } from '@jest/globals';
import type { FetchCache } from '../../../../gateway/cache/fetches/fetchCache.ts';
import type { FetchJoiner } from '../../../../gateway/cache/fetches/fetchFlights.ts';
import { LeaderFetches } from '../../../../gateway/cache/fetches/leaderFetches.ts';
import { type Flight, SingleFlight } from '../../../../gateway/sharing/singleFlight.ts';

test('a fetch that has been settled is not settled again when the request is abandoned', () => {
  const released: (readonly string[])[] = [];
  const flights = new Map<string, Flight<FetchJoiner>>();
  const singleFlight = new SingleFlight(flights);
  const cache = { singleFlight, store: { release: (keys: readonly string[]) => released.push(keys) } };
  const fetches = new LeaderFetches(cache as unknown as FetchCache, { onJoin: () => {}, onLeave: () => {} });
  expect([fetches.tryLead('a'), fetches.tryLead('b'), fetches.tryLead('a')]).toEqual([true, true, false]);
  fetches.settle(['a', 'of another request'], { kind: 'completed' });
  // By now, another request may have claimed it.
  fetches.abandon();
  expect([released, flights.size]).toEqual([[['a'], ['b']], 0]);
});

test('a request has joiners until the last one has left, or its fetch is settled', () => {
  const singleFlight = new SingleFlight<FetchJoiner>();
  const cache = { singleFlight, store: { release: () => {} } } as unknown as FetchCache;
  const hadJoiners: boolean[] = [];
  const fetches: LeaderFetches = new LeaderFetches(cache, {
    onJoin: () => hadJoiners.push(fetches.hasJoiners),
    onLeave: () => hadJoiners.push(fetches.hasJoiners),
  });
  const join = (key: string): (() => void) => {
    const joiner: FetchJoiner = { priority: 'primary', onSettled: () => hadJoiners.push(fetches.hasJoiners) };
    singleFlight.find(key)?.join(joiner);
    return () => singleFlight.find(key)?.leave(joiner);
  };
  for (const key of ['a', 'b']) fetches.tryLead(key);
  expect(fetches.hasJoiners).toBe(false);
  const leaves = ['a', 'a', 'b'].map(join);
  for (const leave of leaves) leave();
  join('a');
  join('b');
  fetches.settle(['a'], { kind: 'completed' });
  fetches.settle(['b'], { kind: 'completed' });
  expect(hadJoiners).toEqual([
    ...[true, true, true],
    ...[true, true, false],
    ...[true, true],
    ...[true, false],
  ]);
});
