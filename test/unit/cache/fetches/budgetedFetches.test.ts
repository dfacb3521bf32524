import { describe, expect, test } from '@jest/globals';
import type { FetchCacheOptions } from '../../../../gateway/cache/fetches/fetchCache.ts';
import { GatewayError } from '../../../../gateway/errors.ts';
import { LatencyBudget } from '../../../../gateway/execution/latencyBudget.ts';
import { entityShape, readRulesOf, rootShape } from '../../../harness/cachedSubgraphs.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { createFetchCall, createRequestContext } from '../../../harness/fetchNodes.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import {
  type CachedFetchesFixture,
  callAt,
  createCachedFetchesFixture,
  named,
  names,
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
const titles = entityShape('products', '... on Product { title: name }');
const staleAfterBudget = (ageMs: number) => ({ ageMs, reason: 'budget' });

/** Has stored names of products, which are stale by now. */
function stale(ids: readonly string[], options: Partial<FetchCacheOptions> = {}): CachedFetchesFixture {
  const fixture = createCachedFetchesFixture(rules, options);
  fixture.fetch(names, ids);
  callAt(fixture, 0).answer(named(...ids.map((id) => `old ${id}`)));
  fixture.clock.now += 20_000;
  return fixture;
}

/** The data that the next request gets without waiting. */
function cachedData(fixture: CachedFetchesFixture, ids: readonly string[]): unknown {
  const request = fixture.fetch(names, ids);
  const { data, result } = request;
  request.cancel();
  return result?.kind === 'completed' && result.stale === undefined ? data : undefined;
}

describe('When the budget of a call ends,', () => {
  test('stale values are served, and answers that arrive later are stored', () => {
    const fixture = stale(['1', '2']);
    const budget = new LatencyBudget();
    const request = fixture.fetch(names, ['1', '2'], undefined, budget);
    expect(request.result).toBeUndefined();
    fixture.clock.now += 100;
    budget.expire();
    expect(request.result).toMatchObject({
      data: named('old 1', 'old 2'),
      errors: [],
      stale: new Map([
        [0, staleAfterBudget(20_100)],
        [1, staleAfterBudget(20_100)],
      ]),
    });
    expect(request.isDone).toBe(true);
    expect(callAt(fixture, 1).isCancelled).toBe(false);
    callAt(fixture, 1).answer(named('new 1', 'new 2'));
    expect(cachedData(fixture, ['1', '2'])).toEqual(named('new 1', 'new 2'));
  });

  test.each([
    ['are there', (request: RecordedCall) => request.answer(named('new 1', 'new 2'))],
    [
      'have failed',
      (request: RecordedCall) => request.fail(new GatewayError('INTERNAL_SERVER_ERROR', 'Down.')),
    ],
  ])('the budget is notified when newer values %s, also after the operation has ended', (_, end) => {
    const fixture = stale(['1', '2']);
    const budget = new LatencyBudget();
    const request = fixture.fetch(names, ['1', '2'], undefined, budget);
    budget.expire();
    request.cancel();
    const notifications: string[] = [];
    budget.onRefreshed(0, () => notifications.push('newer'));
    expect(notifications).toEqual([]);
    end(callAt(fixture, 1));
    expect(notifications).toEqual(['newer']);
  });

  test('the call waits for an item without a stale value, and serves the other items of that answer fresh', () => {
    const fixture = stale(['1']);
    const budget = new LatencyBudget();
    const request = fixture.fetch(names, ['1', '2'], undefined, budget);
    budget.expire();
    expect(request.result).toBeUndefined();
    callAt(fixture, 1).answer(named('new 1', 'new 2'));
    expect(request.result).toMatchObject({ data: named('new 1', 'new 2'), stale: undefined });
  });

  test('stale values are combined with fresh ones', async () => {
    const fixture = stale(['1', '2']);
    const other = fixture.fetch(names, ['2']);
    const budget = new LatencyBudget();
    const request = fixture.fetch(names, ['1', '2'], undefined, budget);
    callAt(fixture, 1).answer(named('new 2'));
    await waitForTurns();
    expect(other.data).toEqual(named('new 2'));
    expect(request.result).toBeUndefined();
    budget.expire();
    expect(request.result).toMatchObject({
      data: named('old 1', 'new 2'),
      stale: new Map([[0, staleAfterBudget(20_000)]]),
    });
  });

  test('a value beyond staleIfError is not served', () => {
    const fixture = stale(['1']);
    const budget = new LatencyBudget();
    const request = fixture.fetch(names, ['1'], undefined, budget);
    fixture.clock.now += 60_000;
    budget.expire();
    expect(request.result).toBeUndefined();
    callAt(fixture, 1).answer(named('new 1'));
    expect(request.data).toEqual(named('new 1'));
  });

  test('a stale root field does not answer a call that also misses another root field', () => {
    const both = rootShape('products', '{ news hits }');
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(both);
    callAt(fixture, 0).answer({ news: 'old', hits: 1 });
    fixture.clock.now += 20_000;
    const budget = new LatencyBudget();
    const request = fixture.fetch(both, undefined, undefined, budget);
    budget.expire();
    expect(request.result).toBeUndefined();
    callAt(fixture, 1).answer({ news: 'new', hits: 2 });
    expect(request.data).toEqual({ news: 'new', hits: 2 });
  });

  test('the response must not be cached by clients', () => {
    const fixture = stale(['1']);
    const budget = new LatencyBudget();
    const request = fixture.fetch(names, ['1'], undefined, budget);
    budget.expire();
    expect(request.result).toMatchObject({ caching: { freshForMs: -10_000 } });
  });
});

test('a call that starts after its budget serves stale values at once and fetches newer ones', () => {
  const fixture = stale(['1']);
  const budget = new LatencyBudget();
  budget.expire();
  const request = fixture.fetch(names, ['1'], undefined, budget);
  expect(request.result).toMatchObject({
    data: named('old 1'),
    stale: new Map([[0, staleAfterBudget(20_000)]]),
  });
  callAt(fixture, 1).answer(named('new 1'));
  expect(cachedData(fixture, ['1'])).toEqual(named('new 1'));
});

test('a call whose budget ends during the lookup serves stale values after it and fetches newer ones', async () => {
  const clock = new FakeTimers();
  const entries = new ModelEntries(clock.now, clock);
  const fixture = createCachedFetchesFixture(rules, { store: new ModelStore(entries, 0), now: clock.now });
  fixture.fetch(names, ['1']);
  await waitForTurns();
  callAt(fixture, 0).answer(named('old 1'));
  clock.advance(20_000);
  const budget = new LatencyBudget();
  const request = fixture.fetch(names, ['1'], undefined, budget);
  budget.expire();
  expect(request.result).toBeUndefined();
  await waitForTurns();
  expect(request.result).toMatchObject({
    data: named('old 1'),
    stale: new Map([[0, staleAfterBudget(20_000)]]),
  });
  callAt(fixture, 1).answer(named('new 1'));
  await waitForTurns();
  const next = fixture.fetch(names, ['1']);
  await waitForTurns();
  expect(next.data).toEqual(named('new 1'));
  expect(clock.pendingCount).toBe(0);
});

describe('A background fetch continues', () => {
  /** Two calls of one request, of which the first is late from the start. */
  function half(fixture: CachedFetchesFixture): { readonly data: unknown; cancel(): void } {
    const budget = new LatencyBudget();
    budget.expire();
    const first = createFetchCall(['1'], { shape: names, budget });
    const second = createFetchCall(['2'], { shape: titles });
    const cancel = fixture.fetches.sendEntities({
      calls: [first, second],
      requestContext: createRequestContext(),
      onDone: () => {},
    });
    const [result] = first.results;
    return { data: result?.kind === 'completed' ? result.data : undefined, cancel };
  }

  test('after the operation ends', () => {
    const fixture = stale(['1']);
    const { data, cancel } = half(fixture);
    expect(data).toEqual(named('old 1'));
    cancel();
    expect(callAt(fixture, 1).isCancelled).toBe(false);
    callAt(fixture, 1).answer(named('new 1'));
    expect(cachedData(fixture, ['1'])).toEqual(named('new 1'));
  });

  test('while other fetches of the operation are cancelled', () => {
    const fixture = stale(['1']);
    const other = fixture.fetch(titles, ['2']);
    const { cancel } = half(fixture);
    cancel();
    other.cancel();
    expect(
      fixture.subgraphs.calls.map(({ requestedItems, isCancelled }) => [...requestedItems, isCancelled]),
    ).toEqual([
      ['1', false],
      ['2', true],
      ['1', false],
    ]);
  });

  test('if the request that leads the fetch is cancelled', () => {
    const fixture = stale(['1']);
    const first = fixture.fetch(names, ['1']);
    half(fixture).cancel();
    first.cancel();
    expect(callAt(fixture, 1).isCancelled).toBe(false);
    callAt(fixture, 1).answer(named('new 1'));
    expect(cachedData(fixture, ['1'])).toEqual(named('new 1'));
    expect(fixture.cache.flights.size).toBe(0);
  });

  test('if the fetch of the leading request stored nothing', async () => {
    const fixture = stale(['1']);
    fixture.fetch(names, ['1']);
    half(fixture).cancel();
    callAt(fixture, 1).fail(new GatewayError('DEADLINE_EXCEEDED', 'late'));
    await waitForTurns();
    expect(callAt(fixture, 3).requestedItems).toEqual(['1']);
    callAt(fixture, 3).answer(named('new 1'));
    expect(cachedData(fixture, ['1'])).toEqual(named('new 1'));
  });

  test('and its failure ends what the operation fetches beside it', () => {
    const fixture = stale(['1']);
    fixture.fetch(names, ['1']);
    const { cancel } = half(fixture);
    cancel();
    expect(callAt(fixture, 2).isCancelled).toBe(false);
    callAt(fixture, 1).fail();
    expect(callAt(fixture, 2)).toMatchObject({ requestedItems: ['2'], isCancelled: true });
    expect(fixture.cache.flights.size).toBe(0);
  });

  test('and its failure is not reported to the client', () => {
    const served: string[] = [];
    const fixture = stale(['1'], {
      observer: {
        ...silentObserver,
        onStaleIfError: () => served.push('error'),
        onStaleIfBudget: ({ subgraph, type }) => served.push(`budget ${subgraph} ${type}`),
      },
    });
    const budget = new LatencyBudget();
    const request = fixture.fetch(names, ['1'], undefined, budget);
    budget.expire();
    const { result } = request;
    callAt(fixture, 1).fail();
    expect(request.result).toBe(result);
    expect(served).toEqual(['budget products Product']);
    expect(fixture.cache.flights.size).toBe(0);
  });
});

test('cancelling a request before its budget ends cancels its fetches', () => {
  const fixture = stale(['1']);
  const budget = new LatencyBudget();
  const request = fixture.fetch(names, ['1'], undefined, budget);
  request.cancel();
  budget.expire();
  expect(request.result).toBeUndefined();
  expect(callAt(fixture, 1).isCancelled).toBe(true);
});

test('a cancelled request serves no stale values while its fetch continues for joiners', () => {
  const served: string[] = [];
  const observer = { ...silentObserver, onStaleIfBudget: () => served.push('budget') };
  const fixture = stale(['1', '2'], { observer });
  fixture.fetch(names, ['1']);
  const budget = new LatencyBudget();
  const request = fixture.fetch(names, ['1', '2'], undefined, budget);
  const other = fixture.fetch(names, ['2']);
  request.cancel();
  budget.expire();
  callAt(fixture, 2).answer(named('new 2'));
  expect(other.data).toEqual(named('new 2'));
  expect(served).toEqual([]);
});

test('no timer is pending after all items were resolved', async () => {
  const clock = new FakeTimers();
  const fixture = stale(['1'], { timers: clock });
  const deadline = performance.now() + 1_000_000;
  const scope = createRequestContext({ deadline, deadlineFor: () => deadline });
  fixture.fetch(names, ['1'], scope);
  const budget = new LatencyBudget();
  const request = fixture.fetch(names, ['1'], scope, budget);
  budget.expire();
  expect(request.isDone).toBe(true);
  expect(clock.pendingCount).toBe(1);
  callAt(fixture, 1).answer(named('new 1'));
  await waitForTurns();
  expect(clock.pendingCount).toBe(0);
});
