import { describe, expect, test } from '@jest/globals';
import type { CacheResults } from '../../../../gateway/cache/store/cacheStore.ts';
import { GatewayError } from '../../../../gateway/errors.ts';
import type { FetchCall } from '../../../../gateway/execution/fetchCall.ts';
import type { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import type { RequestContext } from '../../../../gateway/execution/requestContext.ts';
import { entityShape, readRulesOf } from '../../../harness/cachedSubgraphs.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { createRequestContext, createScheduledStep } from '../../../harness/fetchNodes.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import {
  type CachedFetchesFixture,
  callAt,
  createCachedFetchesFixture,
  named,
  names,
} from './cachedFetchesFixture.ts';
import { ModelEntries, ModelStore } from './modelStore.ts';

const { rules } = await readRulesOf({
  products: `
    type Query { hits: Int }
    type Product @key(fields: "id") @cached(maxAge: "10s", staleWhileRevalidate: "20s", staleIfError: "1m") {
      id: ID!
      name: String
    }
    type Shelf @key(fields: "id") { id: ID! row: Int }
  `,
});
const rows = entityShape('products', '... on Shelf { row }');

const of = (identity: string): RequestContext => createRequestContext({ identity });
const deadlineExceeded = new GatewayError('DEADLINE_EXCEEDED', 'late');

describe('A request for an item that is being fetched', () => {
  test('waits for the fetch', async () => {
    const fixture = createCachedFetchesFixture(rules);
    const first = fixture.fetch(names, ['1', '2']);
    const others = [fixture.fetch(names, ['2', '1']), fixture.fetch(names, ['1', '3'])];
    expect(fixture.subgraphs.calls.map(({ requestedItems }) => requestedItems)).toEqual([['1', '2'], ['3']]);
    callAt(fixture, 0).answer(named('one', 'two'));
    callAt(fixture, 1).answer(named('three'));
    await waitForTurns();
    expect([first, ...others].map(({ data }) => data)).toEqual([
      named('one', 'two'),
      named('two', 'one'),
      named('one', 'three'),
    ]);
    expect(fixture.cache.flights.size).toBe(0);
  });

  test('fails if the fetch fails', () => {
    const fixture = createCachedFetchesFixture(rules);
    const both = [fixture.fetch(names, ['1']), fixture.fetch(names, ['1'])];
    callAt(fixture, 0).fail();
    for (const { result } of both) expect(result).toMatchObject({ kind: 'failed' });
    expect(fixture.subgraphs.calls).toHaveLength(1);
  });

  test('fetches the item if the response could not be stored', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    const other = fixture.fetch(names, ['1']);
    callAt(fixture, 0).answer(named('one'), { cacheControl: 'no-store' });
    await waitForTurns();
    callAt(fixture, 1).answer(named('uno'), { cacheControl: 'no-store' });
    expect(other.data).toEqual(named('uno'));
  });

  test('gets the answer although the leader is cancelled', async () => {
    const fixture = createCachedFetchesFixture(rules);
    const first = fixture.fetch(names, ['1']);
    const other = fixture.fetch(names, ['1']);
    first.cancel();
    expect(callAt(fixture, 0).isCancelled).toBe(false);
    callAt(fixture, 0).answer(named('one'));
    await waitForTurns();
    expect(other.data).toEqual(named('one'));
    expect(first.result).toBeUndefined();
  });

  test('fetches the item if the leader timed out', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    const other = fixture.fetch(names, ['1']);
    callAt(fixture, 0).fail(new GatewayError('DEADLINE_EXCEEDED', 'late'));
    await waitForTurns();
    callAt(fixture, 1).answer(named('one'));
    expect(other.data).toEqual(named('one'));
  });

  test('does not wait beyond its own deadline', async () => {
    const timers = new FakeTimers();
    const fixture = createCachedFetchesFixture(rules, { timers });
    fixture.fetch(names, ['1']);
    const other = fixture.fetch(
      names,
      ['1'],
      createRequestContext({ deadlineFor: () => performance.now() + 50 }),
    );
    timers.advance(50);
    expect(other.result).toMatchObject({ kind: 'failed', error: { code: 'DEADLINE_EXCEEDED' } });
    callAt(fixture, 0).answer(named('one'));
    await waitForTurns();
    expect(other.isDone).toBe(true);
  });

  test('leaves nothing in flight when it is cancelled', () => {
    const fixture = createCachedFetchesFixture(rules);
    const request = fixture.fetch(names, ['1']);
    request.cancel();
    expect(callAt(fixture, 0).isCancelled).toBe(true);
    expect(fixture.cache.flights.size).toBe(0);
  });
});

describe('A joiner whose leader brings no value', () => {
  test('fetches its items in the order of its own representations', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['2', '1']);
    const other = fixture.fetch(names, ['1', '2']);
    callAt(fixture, 0).answer(named('two', 'one'), { cacheControl: 'no-store' });
    await waitForTurns();
    expect(callAt(fixture, 1).requestedItems).toEqual(['1', '2']);
    callAt(fixture, 1).answer(named('one', 'two'));
    expect(other.data).toEqual(named('one', 'two'));
  });

  test('fetches all items in one request when the leader timed out', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1', '2', '3']);
    const other = fixture.fetch(names, ['3', '1']);
    callAt(fixture, 0).fail(deadlineExceeded);
    await waitForTurns();
    expect(fixture.subgraphs.calls.slice(1).map(({ requestedItems }) => requestedItems)).toEqual([
      ['3', '1'],
    ]);
    callAt(fixture, 1).answer(named('three', 'one'));
    expect(other.data).toEqual(named('three', 'one'));
  });

  test('fetches its items in one request for each leader that timed out at another moment', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    fixture.fetch(names, ['2']);
    const other = fixture.fetch(names, ['1', '2']);
    for (const leader of [0, 1]) {
      callAt(fixture, leader).fail(deadlineExceeded);
      await waitForTurns();
    }
    callAt(fixture, 2).answer(named('one'));
    callAt(fixture, 3).answer(named('two'));
    expect(other.data).toEqual(named('one', 'two'));
  });

  test('shares its fetch with the other joiners when the leader timed out', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    const joiners = [fixture.fetch(names, ['1']), fixture.fetch(names, ['1'])];
    callAt(fixture, 0).fail(deadlineExceeded);
    await waitForTurns();
    callAt(fixture, 1).answer(named('one'));
    expect(joiners.map(({ data }) => data)).toEqual([named('one'), named('one')]);
    expect(fixture.subgraphs.calls).toHaveLength(2);
  });

  test('fetches nothing for a client that leaves when the leader has timed out', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    const leaving = fixture.fetch(names, ['1', '2']);
    const other = fixture.fetch(names, ['2']);
    callAt(fixture, 0).fail(deadlineExceeded);
    leaving.cancel();
    await waitForTurns();
    expect(fixture.subgraphs.calls.map(({ requestedItems }) => requestedItems)).toEqual([['1'], ['2']]);
    callAt(fixture, 1).answer(named('two'));
    expect(other.data).toEqual(named('two'));
    expect(fixture.cache.flights.size).toBe(0);
  });

  test('fails when a refresh fails', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    callAt(fixture, 0).answer(named('old'));
    fixture.clock.now += 15_000;
    fixture.fetch(names, ['1']);
    // Beyond staleIfError.
    fixture.clock.now += 60_000;
    const other = fixture.fetch(names, ['1']);
    callAt(fixture, 1).fail();
    expect(other.result).toMatchObject({ kind: 'failed', error: { code: 'SUBGRAPH_UNREACHABLE' } });
    expect(fixture.subgraphs.calls).toHaveLength(2);
  });

  test('fetches the item when a refresh timed out', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    callAt(fixture, 0).answer(named('old'));
    fixture.clock.now += 15_000;
    fixture.fetch(names, ['1']);
    fixture.clock.now += 20_000;
    const other = fixture.fetch(names, ['1']);
    callAt(fixture, 1).fail(deadlineExceeded);
    await waitForTurns();
    callAt(fixture, 2).answer(named('new'));
    expect(other.data).toEqual(named('new'));
  });

  test('fetches the item when the subgraph refused the leader', async () => {
    const fixture = createCachedFetchesFixture(rules);
    const ann = fixture.fetch(names, ['1'], of('ann'));
    const bob = fixture.fetch(names, ['1'], of('bob'));
    callAt(fixture, 0).fail(
      new GatewayError('SUBGRAPH_ERROR', 'refused', { extensions: { http: { status: 403 } } }),
    );
    await waitForTurns();
    callAt(fixture, 1).answer(named('one'));
    expect(ann.result).toMatchObject({ kind: 'failed' });
    expect(bob.data).toEqual(named('one'));
  });

  test('does not join again when the value is too large to be stored', () => {
    const fixture = createCachedFetchesFixture(rules, { maxEntrySize: 10 });
    fixture.fetch(names, ['1']);
    callAt(fixture, 0).answer(named('a long name'));
    fixture.fetch(names, ['1']);
    fixture.fetch(names, ['1']);
    expect(fixture.subgraphs.calls).toHaveLength(3);
  });
});

test('A fetch is joined although a value of the response before could not be stored', async () => {
  const fixture = createCachedFetchesFixture(rules, { maxEntrySize: 20 });
  fixture.fetch(names, ['1', '2']);
  callAt(fixture, 0).answer(named('one', 'a name that is too long'));
  fixture.fetch(names, ['3']);
  fixture.fetch(names, ['3']);
  expect(fixture.subgraphs.calls).toHaveLength(2);
});

describe('A fetch with joiners', () => {
  /** What the calls that have reached the subgraph are now. */
  const priorities = ({ subgraphs }: CachedFetchesFixture): unknown[] =>
    subgraphs.calls.map(({ call }) => call.raisablePriority?.current);

  test('has the priority of its most urgent joiner', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1', '2'], undefined, undefined, 'normal');
    fixture.fetch(names, ['1'], undefined, undefined, 'background');
    expect(priorities(fixture)).toEqual(['normal']);
    fixture.fetch(names, ['2'], undefined, undefined, 'primary');
    fixture.fetch(names, ['1'], undefined, undefined, 'critical');
    expect(priorities(fixture)).toEqual(['primary']);
  });

  test('is raised from background priority when a request joins a refresh', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    callAt(fixture, 0).answer(named('old'));
    fixture.clock.now += 15_000;
    fixture.fetch(names, ['1']);
    expect(callAt(fixture, 1).call).toMatchObject({ priority: 'background', group: 1 });
    fixture.clock.now += 20_000;
    fixture.fetch(names, ['1'], undefined, undefined, 'critical');
    expect(priorities(fixture)).toEqual(['primary', 'critical']);
  });

  test('keeps the raised priority when it is sent again', async () => {
    const fixture = createCachedFetchesFixture(rules);
    const leader = fixture.fetch(names, ['1'], undefined, undefined, 'background');
    fixture.fetch(names, ['1'], undefined, undefined, 'normal');
    leader.cancel();
    callAt(fixture, 0).fail(deadlineExceeded);
    await waitForTurns();
    expect(callAt(fixture, 1).call).toMatchObject({ priority: 'normal' });
  });
});

describe('A cancelled request', () => {
  test('continues for its joiners until the last one leaves', () => {
    const fixture = createCachedFetchesFixture(rules);
    const first = fixture.fetch(names, ['1']);
    const others = [fixture.fetch(names, ['1']), fixture.fetch(names, ['1'])];
    first.cancel();
    others[0]?.cancel();
    expect(callAt(fixture, 0).isCancelled).toBe(false);
    others[1]?.cancel();
    expect(callAt(fixture, 0).isCancelled).toBe(true);
    expect(fixture.cache.flights.size).toBe(0);
  });

  test('releases its claims if it is cancelled while they are being acquired', async () => {
    const clock = new FakeTimers();
    const entries = new ModelEntries(clock.now, clock);
    const fixture = createCachedFetchesFixture(rules, { store: new ModelStore(entries, 0) });
    const first = fixture.fetch(names, ['1']);
    const other = fixture.fetch(names, ['1']);
    // Until the store has been read, and not until it has answered about claims.
    while (fixture.cache.flights.size === 0) await null;
    first.cancel();
    await null;
    other.cancel();
    await waitForTurns();
    expect(fixture.cache.flights.size).toBe(0);
    expect(entries.heldClaims).toBe(0);
    expect(fixture.subgraphs.calls.every(({ isCancelled }) => isCancelled)).toBe(true);
  });

  test('does not fetch a value again that its leader could not store, although another fetch continues', async () => {
    const fixture = createCachedFetchesFixture(rules);
    const { store } = fixture;
    fixture.fetch(names, ['1']);
    const request = fixture.fetch(names, ['1', '2']);
    fixture.fetch(names, ['2']);
    const reads = Promise.withResolvers<CacheResults>();
    store.getMany = () => reads.promise;
    callAt(fixture, 0).answer(named('one'), { cacheControl: 'no-store' });
    request.cancel();
    reads.resolve([undefined]);
    await waitForTurns();
    expect(fixture.subgraphs.calls.map(({ requestedItems }) => requestedItems)).toEqual([['1'], ['2']]);
  });

  test('cancels its uncacheable calls', () => {
    const fixture = createCachedFetchesFixture(rules);
    const settled: string[] = [];
    const call = (name: string, shape: FetchShape): FetchCall => ({
      shape,
      requestContext: createRequestContext(),
      group: 0,
      priority: 'primary',
      budget: undefined,
      isBelowRoot: false,
      representations: ['{"__typename":"Product","id":"1"}'],
      contextVariables: undefined,
      step: createScheduledStep(),
      settle: (_, done) => {
        settled.push(name);
        done();
      },
    });
    const cancel = fixture.fetches.sendEntities({
      calls: [call('kept', names), call('plain', rows)],
      requestContext: createRequestContext(),
      onDone: () => settled.push('all'),
    });
    fixture.fetch(names, ['1']);
    cancel();
    callAt(fixture, 0).answer(named('one'));
    callAt(fixture, 1).answer([{ row: 1 }]);
    expect(settled).toEqual([]);
  });
});

describe('Public and private entries of one key:', () => {
  test('an expired private entry does not hide a newer public one', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1'], of('ann'));
    callAt(fixture, 0).answer(named('for ann'), { cacheControl: 'private' });
    expect(fixture.fetch(names, ['1'], of('ann')).data).toEqual(named('for ann'));
    fixture.clock.now += 40_000;
    fixture.fetch(names, ['1'], of('ann'));
    callAt(fixture, 1).answer(named('for all'));
    expect(fixture.fetch(names, ['1'], of('ann')).data).toEqual(named('for all'));
    fixture.clock.now += 35_000;
    const fallback = fixture.fetch(names, ['1'], of('ann'));
    callAt(fixture, 2).fail();
    expect(fallback.data).toEqual(named('for all'));
  });
});
