import { describe, expect, test } from '@jest/globals';
import type { FetchCacheOptions } from '../../../../gateway/cache/fetches/fetchCache.ts';
import { GatewayError } from '../../../../gateway/errors.ts';
import { LatencyBudget } from '../../../../gateway/execution/latencyBudget.ts';
import { entityShape, readRulesOf, rootShape } from '../../../harness/cachedSubgraphs.ts';
import { createFetchCall, createRequestContext } from '../../../harness/fetchNodes.ts';
import { ManualClock } from '../../../harness/manualClock.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import {
  type CachedFetchesFixture,
  createCachedFetchesFixture,
  type RecordedCall,
} from './cachedFetchesFixture.ts';
import { ModelEntries, ModelStore } from './modelStore.ts';
import { silentObserver } from './silentObserver.ts';

const { rules } = await readRulesOf({
  products: `
    type Query {
      news: String @cached(maxAge: "10s", staleIfError: "1m")
      hits: Int
    }
    type Product @key(fields: "id") @cached(maxAge: "10s", staleWhileRevalidate: "5s", staleIfError: "1m") {
      id: ID!
      name: String
    }
  `,
});
const names = entityShape('products', '... on Product { name }');
const titles = entityShape('products', '... on Product { title: name }');
const named = (...list: string[]): { name: string }[] => list.map((name) => ({ name }));
const late = (ageMs: number) => ({ ageMs, reason: 'budget' });

/** Has stored names of products, which are stale by now. */
function stale(ids: readonly string[], options: Partial<FetchCacheOptions> = {}): CachedFetchesFixture {
  const under = createCachedFetchesFixture(rules, options);
  under.fetch(names, ids);
  call(under, 0).answer(named(...ids.map((id) => `old ${id}`)));
  under.clock.now += 20_000;
  return under;
}

function call({ subgraphs: { calls } }: CachedFetchesFixture, place: number): RecordedCall {
  const found = calls[place];
  if (found === undefined) throw new Error(`The subgraph was asked ${calls.length} times.`);
  return found;
}

/** What the next one who asks gets without waiting. */
function kept(under: CachedFetchesFixture, ids: readonly string[]): unknown {
  const asked = under.fetch(names, ids);
  const { data, result } = asked;
  asked.cancel();
  return result?.kind === 'answered' && result.stale === undefined ? data : undefined;
}

describe('at the end of the budget', () => {
  test('stale values answer, and what comes afterwards is kept', () => {
    const under = stale(['1', '2']);
    const budget = new LatencyBudget();
    const asked = under.fetch(names, ['1', '2'], undefined, budget);
    expect(asked.result).toBeUndefined();
    under.clock.now += 100;
    budget.expire();
    expect(asked.result).toMatchObject({
      data: named('old 1', 'old 2'),
      errors: [],
      stale: new Map([
        [0, late(20_100)],
        [1, late(20_100)],
      ]),
    });
    expect(asked.isDone).toBe(true);
    expect(call(under, 1).isCancelled).toBe(false);
    call(under, 1).answer(named('new 1', 'new 2'));
    expect(kept(under, ['1', '2'])).toEqual(named('new 1', 'new 2'));
  });

  test.each([
    ['are there', (asked: RecordedCall) => asked.answer(named('new 1', 'new 2'))],
    ['have failed', (asked: RecordedCall) => asked.fail(new GatewayError('INTERNAL_SERVER_ERROR', 'Down.'))],
  ])('it is told when newer values %s, also after the operation', (_, end) => {
    const under = stale(['1', '2']);
    const budget = new LatencyBudget();
    const asked = under.fetch(names, ['1', '2'], undefined, budget);
    budget.expire();
    asked.cancel();
    const told: string[] = [];
    budget.onRefreshed(0, () => told.push('newer'));
    expect(told).toEqual([]);
    end(call(under, 1));
    expect(told).toEqual(['newer']);
  });

  test('what nothing is known of is waited for, and what comes with it is not stale', () => {
    const under = stale(['1']);
    const budget = new LatencyBudget();
    const asked = under.fetch(names, ['1', '2'], undefined, budget);
    budget.expire();
    expect(asked.result).toBeUndefined();
    call(under, 1).answer(named('new 1', 'new 2'));
    expect(asked.result).toMatchObject({ data: named('new 1', 'new 2'), stale: undefined });
  });

  test('stale values go with what is there', async () => {
    const under = stale(['1', '2']);
    const other = under.fetch(names, ['2']);
    const budget = new LatencyBudget();
    const asked = under.fetch(names, ['1', '2'], undefined, budget);
    call(under, 1).answer(named('new 2'));
    await waitForTurns();
    expect(other.data).toEqual(named('new 2'));
    expect(asked.result).toBeUndefined();
    budget.expire();
    expect(asked.result).toMatchObject({
      data: named('old 1', 'new 2'),
      stale: new Map([[0, late(20_000)]]),
    });
  });

  test('a value that is too old for trouble is no answer', () => {
    const under = stale(['1']);
    const budget = new LatencyBudget();
    const asked = under.fetch(names, ['1'], undefined, budget);
    under.clock.now += 60_000;
    budget.expire();
    expect(asked.result).toBeUndefined();
    call(under, 1).answer(named('new 1'));
    expect(asked.data).toEqual(named('new 1'));
  });

  test('a root field that may be stale does not hide one that has to be asked for', () => {
    const both = rootShape('products', '{ news hits }');
    const under = createCachedFetchesFixture(rules);
    under.fetch(both);
    call(under, 0).answer({ news: 'old', hits: 1 });
    under.clock.now += 20_000;
    const budget = new LatencyBudget();
    const asked = under.fetch(both, undefined, undefined, budget);
    budget.expire();
    expect(asked.result).toBeUndefined();
    call(under, 1).answer({ news: 'new', hits: 2 });
    expect(asked.data).toEqual({ news: 'new', hits: 2 });
  });

  test('the answer may not be kept', () => {
    const under = stale(['1']);
    const budget = new LatencyBudget();
    const asked = under.fetch(names, ['1'], undefined, budget);
    budget.expire();
    expect(asked.result).toMatchObject({ caching: { leftMs: -10_000 } });
  });
});

test('a budget that is over when a call begins: stale values answer at once, and the subgraph is asked', () => {
  const under = stale(['1']);
  const budget = new LatencyBudget();
  budget.expire();
  const asked = under.fetch(names, ['1'], undefined, budget);
  expect(asked.result).toMatchObject({ data: named('old 1'), stale: new Map([[0, late(20_000)]]) });
  call(under, 1).answer(named('new 1'));
  expect(kept(under, ['1'])).toEqual(named('new 1'));
});

test('a budget that ends while the store is asked: stale values answer when it has, and the subgraph is asked', async () => {
  const clock = new ManualClock();
  const entries = new ModelEntries(clock.now, {
    now: clock.now,
    after: (ms, run) => clock.setTimer(run, ms),
  });
  const under = createCachedFetchesFixture(rules, { store: new ModelStore(entries, 0), now: clock.now });
  under.fetch(names, ['1']);
  await waitForTurns();
  call(under, 0).answer(named('old 1'));
  clock.advance(20_000);
  const budget = new LatencyBudget();
  const asked = under.fetch(names, ['1'], undefined, budget);
  budget.expire();
  expect(asked.result).toBeUndefined();
  await waitForTurns();
  expect(asked.result).toMatchObject({ data: named('old 1'), stale: new Map([[0, late(20_000)]]) });
  call(under, 1).answer(named('new 1'));
  await waitForTurns();
  const next = under.fetch(names, ['1']);
  await waitForTurns();
  expect(next.data).toEqual(named('new 1'));
  expect(clock.activeTimerCount).toBe(0);
});

describe('what is late goes on', () => {
  /** Two calls of one request, of which the first is late from the start. */
  function half(under: CachedFetchesFixture): { readonly data: unknown; cancel(): void } {
    const budget = new LatencyBudget();
    budget.expire();
    const first = createFetchCall(['1'], { shape: names, budget });
    const second = createFetchCall(['2'], { shape: titles });
    const cancel = under.fetches.sendEntities({
      calls: [first, second],
      requestContext: createRequestContext(),
      onDone: () => {},
    });
    const [result] = first.results;
    return { data: result?.kind === 'answered' ? result.data : undefined, cancel };
  }

  test('when the operation ends', () => {
    const under = stale(['1']);
    const { data, cancel } = half(under);
    expect(data).toEqual(named('old 1'));
    cancel();
    expect(call(under, 1).isCancelled).toBe(false);
    call(under, 1).answer(named('new 1'));
    expect(kept(under, ['1'])).toEqual(named('new 1'));
  });

  test('and not what the operation has waited for besides', () => {
    const under = stale(['1']);
    const other = under.fetch(titles, ['2']);
    const { cancel } = half(under);
    cancel();
    other.cancel();
    expect(
      under.subgraphs.calls.map(({ requestedItems, isCancelled }) => [...requestedItems, isCancelled]),
    ).toEqual([
      ['1', false],
      ['2', true],
      ['1', false],
    ]);
  });

  test('where another request fetches it, which leaves', () => {
    const under = stale(['1']);
    const first = under.fetch(names, ['1']);
    half(under).cancel();
    first.cancel();
    expect(call(under, 1).isCancelled).toBe(false);
    call(under, 1).answer(named('new 1'));
    expect(kept(under, ['1'])).toEqual(named('new 1'));
    expect(under.cache.singleFlight.size).toBe(0);
  });

  test('where another request has fetched it in vain', async () => {
    const under = stale(['1']);
    under.fetch(names, ['1']);
    half(under).cancel();
    call(under, 1).fail(new GatewayError('DEADLINE_EXCEEDED', 'late'));
    await waitForTurns();
    expect(call(under, 3).requestedItems).toEqual(['1']);
    call(under, 3).answer(named('new 1'));
    expect(kept(under, ['1'])).toEqual(named('new 1'));
  });

  test('and is told as a failure to nobody', () => {
    const served: string[] = [];
    const under = stale(['1'], {
      observer: {
        ...silentObserver,
        onStaleIfError: () => served.push('error'),
        onStaleIfBudget: ({ subgraph, type, count }) => served.push(`budget ${subgraph} ${type} ${count}`),
      },
    });
    const budget = new LatencyBudget();
    const asked = under.fetch(names, ['1'], undefined, budget);
    budget.expire();
    const { result } = asked;
    call(under, 1).fail();
    expect(asked.result).toBe(result);
    expect(served).toEqual(['budget products Product 1']);
    expect(under.cache.singleFlight.size).toBe(0);
  });
});

test('a request that leaves before its budget is over takes its fetches along', () => {
  const under = stale(['1']);
  const budget = new LatencyBudget();
  const asked = under.fetch(names, ['1'], undefined, budget);
  asked.cancel();
  budget.expire();
  expect(asked.result).toBeUndefined();
  expect(call(under, 1).isCancelled).toBe(true);
});

test('a request that has left is given nothing stale, whatever goes on for others', () => {
  const served: string[] = [];
  const observer = { ...silentObserver, onStaleIfBudget: () => served.push('budget') };
  const under = stale(['1', '2'], { observer });
  under.fetch(names, ['1']);
  const budget = new LatencyBudget();
  const asked = under.fetch(names, ['1', '2'], undefined, budget);
  const other = under.fetch(names, ['2']);
  asked.cancel();
  budget.expire();
  call(under, 2).answer(named('new 2'));
  expect(other.data).toEqual(named('new 2'));
  expect(served).toEqual([]);
});

test('no timer runs once everything is there', async () => {
  const clock = new ManualClock();
  const under = stale(['1'], { timers: { now: clock.now, after: (ms, run) => clock.setTimer(run, ms) } });
  const deadline = performance.now() + 1_000_000;
  const scope = createRequestContext({ deadline, deadlineFor: () => deadline });
  under.fetch(names, ['1'], scope);
  const budget = new LatencyBudget();
  const asked = under.fetch(names, ['1'], scope, budget);
  budget.expire();
  expect(asked.isDone).toBe(true);
  expect(clock.activeTimerCount).toBe(1);
  call(under, 1).answer(named('new 1'));
  await waitForTurns();
  expect(clock.activeTimerCount).toBe(0);
});
