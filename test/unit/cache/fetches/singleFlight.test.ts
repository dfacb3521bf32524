import { describe, expect, test } from '@jest/globals';
import { GatewayError } from '../../../../gateway/errors.ts';
import type { FetchCall } from '../../../../gateway/execution/fetchCall.ts';
import type { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import type { RequestContext } from '../../../../gateway/execution/requestContext.ts';
import { entityShape, readRulesOf } from '../../../harness/cachedSubgraphs.ts';
import { createRequestContext } from '../../../harness/fetchNodes.ts';
import { ManualClock } from '../../../harness/manualClock.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import {
  type CachedFetchesFixture,
  createCachedFetchesFixture,
  type RecordedCall,
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
const names = entityShape('products', '... on Product { name }');
const named = (...list: string[]): { name: string }[] => list.map((name) => ({ name }));

const of = (identity: string): RequestContext => createRequestContext({ identity });
const late = new GatewayError('DEADLINE_EXCEEDED', 'late');

function at(under: CachedFetchesFixture, place: number): RecordedCall {
  const call = under.subgraphs.calls[place];
  if (call === undefined) throw new Error(`The subgraph was asked ${under.subgraphs.calls.length} times.`);
  return call;
}

describe('who has waited for nothing', () => {
  test('asks in the order of his own representations', async () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['2', '1']);
    const other = under.fetch(names, ['1', '2']);
    at(under, 0).answer(named('two', 'one'), { cacheControl: 'no-store' });
    await waitForTurns();
    expect(at(under, 1).requestedItems).toEqual(['1', '2']);
    at(under, 1).answer(named('one', 'two'));
    expect(other.data).toEqual(named('one', 'two'));
  });

  test('asks for everything at once where the first one ran out of time', async () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1', '2', '3']);
    const other = under.fetch(names, ['3', '1']);
    at(under, 0).fail(late);
    await waitForTurns();
    expect(under.subgraphs.calls.slice(1).map(({ requestedItems }) => requestedItems)).toEqual([['3', '1']]);
    at(under, 1).answer(named('three', 'one'));
    expect(other.data).toEqual(named('three', 'one'));
  });

  test('asks anew where a refresh ran out of time', async () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1']);
    at(under, 0).answer(named('old'));
    under.clock.now += 15_000;
    under.fetch(names, ['1']);
    under.clock.now += 20_000;
    const other = under.fetch(names, ['1']);
    at(under, 1).fail(late);
    await waitForTurns();
    at(under, 2).answer(named('new'));
    expect(other.data).toEqual(named('new'));
  });

  test('asks for himself where the first one is refused', async () => {
    const under = createCachedFetchesFixture(rules);
    const ann = under.fetch(names, ['1'], of('ann'));
    const bob = under.fetch(names, ['1'], of('bob'));
    at(under, 0).fail(
      new GatewayError('SUBGRAPH_ERROR', 'refused', { extensions: { http: { status: 403 } } }),
    );
    await waitForTurns();
    at(under, 1).answer(named('one'));
    expect(ann.result).toMatchObject({ kind: 'failed' });
    expect(bob.data).toEqual(named('one'));
  });

  test('does not wait again for what is too large to be kept', () => {
    const under = createCachedFetchesFixture(rules, { maxEntrySize: 10 });
    under.fetch(names, ['1']);
    at(under, 0).answer(named('a long name'));
    under.fetch(names, ['1']);
    under.fetch(names, ['1']);
    expect(under.subgraphs.calls).toHaveLength(3);
  });
});

describe('a fetch that others join', () => {
  /** What the calls that have reached the subgraph are now. */
  const priorities = ({ subgraphs }: CachedFetchesFixture): unknown[] =>
    subgraphs.calls.map(({ call }) => call.raisablePriority?.current);

  test('is as urgent as the most urgent of them', () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1', '2'], undefined, undefined, 'normal');
    under.fetch(names, ['1'], undefined, undefined, 'background');
    expect(priorities(under)).toEqual(['normal']);
    under.fetch(names, ['2'], undefined, undefined, 'primary');
    under.fetch(names, ['1'], undefined, undefined, 'critical');
    expect(priorities(under)).toEqual(['primary']);
  });

  test('is a refresh that nobody waits for, until somebody does', () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1']);
    at(under, 0).answer(named('old'));
    under.clock.now += 15_000;
    under.fetch(names, ['1']);
    expect(at(under, 1).call).toMatchObject({ priority: 'background', group: 1 });
    under.clock.now += 20_000;
    under.fetch(names, ['1'], undefined, undefined, 'critical');
    expect(priorities(under)).toEqual(['primary', 'critical']);
  });

  test('is as urgent when it is asked for again', async () => {
    const under = createCachedFetchesFixture(rules);
    const leader = under.fetch(names, ['1'], undefined, undefined, 'background');
    under.fetch(names, ['1'], undefined, undefined, 'normal');
    leader.cancel();
    at(under, 0).fail(late);
    await waitForTurns();
    expect(at(under, 1).call).toMatchObject({ priority: 'normal' });
  });
});

describe('a request that leaves', () => {
  test('goes on for others, and no longer than they wait', () => {
    const under = createCachedFetchesFixture(rules);
    const first = under.fetch(names, ['1']);
    const others = [under.fetch(names, ['1']), under.fetch(names, ['1'])];
    first.cancel();
    others[0]?.cancel();
    expect(at(under, 0).isCancelled).toBe(false);
    others[1]?.cancel();
    expect(at(under, 0).isCancelled).toBe(true);
    expect(under.cache.singleFlight.size).toBe(0);
  });

  test('while another process is asked for its right leaves nothing, and no claim', async () => {
    const clock = new ManualClock();
    const entries = new ModelEntries(clock.now, {
      now: clock.now,
      after: (ms, run) => clock.setTimer(run, ms),
    });
    const under = createCachedFetchesFixture(rules, { store: new ModelStore(entries, 0) });
    const first = under.fetch(names, ['1']);
    const other = under.fetch(names, ['1']);
    // Until the store has been read, and not until it has answered about claims.
    while (under.cache.singleFlight.size === 0) await null;
    first.cancel();
    await null;
    other.cancel();
    await waitForTurns();
    expect(under.cache.singleFlight.size).toBe(0);
    expect(entries.heldClaims).toBe(0);
    expect(under.subgraphs.calls.every(({ isCancelled }) => isCancelled)).toBe(true);
  });

  test('takes what is not kept along', () => {
    const under = createCachedFetchesFixture(rules);
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
      settle: (_, done) => {
        settled.push(name);
        done();
      },
    });
    const cancel = under.fetches.sendEntities({
      calls: [call('kept', names), call('plain', rows)],
      requestContext: createRequestContext(),
      onDone: () => settled.push('all'),
    });
    under.fetch(names, ['1']);
    cancel();
    at(under, 0).answer(named('one'));
    at(under, 1).answer([{ row: 1 }]);
    expect(settled).toEqual([]);
  });
});

describe('values for one person and for all', () => {
  test('a newer one for all is not hidden by one that is over', async () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1'], of('ann'));
    at(under, 0).answer(named('for ann'), { cacheControl: 'private' });
    expect(under.fetch(names, ['1'], of('ann')).data).toEqual(named('for ann'));
    under.clock.now += 40_000;
    under.fetch(names, ['1'], of('ann'));
    at(under, 1).answer(named('for all'));
    expect(under.fetch(names, ['1'], of('ann')).data).toEqual(named('for all'));
    under.clock.now += 35_000;
    const fallback = under.fetch(names, ['1'], of('ann'));
    at(under, 2).fail();
    expect(fallback.data).toEqual(named('for all'));
  });
});
