import { describe, expect, test } from '@jest/globals';
import { entityTag } from '../../../../gateway/cache/tags/tagNames.ts';
import { GatewayError } from '../../../../gateway/errors.ts';
import type { FetchError } from '../../../../gateway/execution/fetchCall.ts';
import { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import type { RequestContext } from '../../../../gateway/execution/requestContext.ts';
import type { Timers } from '../../../../gateway/time/timers.ts';
import { entityShape, readRulesOf, rootShape } from '../../../harness/cachedSubgraphs.ts';
import { createRequestContext } from '../../../harness/fetchNodes.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import {
  type CachedFetchesFixture,
  createCachedFetchesFixture,
  type RecordedCall,
} from './cachedFetchesFixture.ts';

const { rules } = await readRulesOf({
  products: `
    type Query {
      top(first: Int): [Product] @cached(maxAge: "10s", staleIfError: "1m")
      news: String @cached(maxAge: "10s", staleWhileRevalidate: "20s")
      hits: Int
    }
    type Product @key(fields: "id") @cached(maxAge: "10s", staleWhileRevalidate: "20s", staleIfError: "1m") {
      id: ID!
      name: String
      related: Product
    }
    type User @key(fields: "id") @cached(maxAge: "10s", scope: PRIVATE) { id: ID! mail: String }
  `,
});
const names = entityShape('products', '... on Product { name }');
const mails = entityShape('products', '... on User { mail }');
const error = (message: string, at: Partial<FetchError> = {}, code?: string): FetchError => ({
  entry: { message, ...(code === undefined ? {} : { extensions: { code } }) },
  entityIndex: undefined,
  path: [],
  ...at,
});
const named = (...list: string[]): { name: string }[] => list.map((name) => ({ name }));

function at(under: CachedFetchesFixture, place: number): RecordedCall {
  const call = under.subgraphs.calls[place];
  if (call === undefined) throw new Error(`The subgraph was asked ${under.subgraphs.calls.length} times.`);
  return call;
}

/** Stores products under these ids. */
function fill(under: CachedFetchesFixture, ...ids: string[]): void {
  const from = under.subgraphs.calls.length;
  under.fetch(names, ids);
  at(under, from).answer(named(...ids.map((id) => `name of ${id}`)));
}

describe('entities', () => {
  test('that are kept are not asked for again, and merge with those that are', () => {
    const under = createCachedFetchesFixture(rules);
    fill(under, '1', '2', '4');
    const asked = under.fetch(names, ['1', '3', '2', '4']);
    expect(at(under, 1).requestedItems).toEqual(['3']);
    expect(asked.result).toBeUndefined();
    at(under, 1).answer(named('third'));
    expect(asked.data).toEqual(named('name of 1', 'third', 'name of 2', 'name of 4'));
    expect(asked.isDone).toBe(true);
    expect(asked.result).toMatchObject({ caching: { scope: 'PUBLIC', leftMs: 10_000 }, stale: undefined });
  });

  test('that are all kept answer in the same turn', () => {
    const under = createCachedFetchesFixture(rules);
    fill(under, '1', '2');
    under.clock.now += 4_000;
    const asked = under.fetch(names, ['2', '1']);
    expect(asked.data).toEqual(named('name of 2', 'name of 1'));
    expect(asked.result).toMatchObject({ errors: [], caching: { ageMs: 4_000, leftMs: 6_000 } });
    expect(under.subgraphs.calls).toHaveLength(1);
  });

  test('are handed out as objects of their own', () => {
    const under = createCachedFetchesFixture(rules);
    fill(under, '1');
    const [one] = under.fetch(names, ['1']).data as { name: string }[];
    (one as { name: string }).name = 'changed';
    expect(under.fetch(names, ['1']).data).toEqual(named('name of 1'));
  });

  test('that do not exist are kept for a short time', () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1']);
    at(under, 0).answer([null]);
    expect(under.fetch(names, ['1']).data).toEqual([null]);
    under.clock.now += 5_000;
    under.fetch(names, ['1']);
    expect(under.subgraphs.calls).toHaveLength(2);
  });

  test('with errors are not kept, those beside them are', () => {
    const under = createCachedFetchesFixture(rules);
    const asked = under.fetch(names, ['1', '2']);
    at(under, 0).answer([{ name: null }, { name: 'two' }], {}, [
      error('no', { entityIndex: 0, path: ['name'] }),
    ]);
    expect(asked.result).toMatchObject({ errors: [{ entity: 0, path: ['name'] }], caching: undefined });
    under.fetch(names, ['1', '2']);
    expect(at(under, 1).requestedItems).toEqual(['1']);
  });

  test('are not kept beside an error of the whole', () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1']);
    at(under, 0).answer(named('one'), {}, [error('odd')]);
    under.fetch(names, ['1']);
    expect(under.subgraphs.calls).toHaveLength(2);
  });

  test('an error is told at the place that the entity has in the whole call', () => {
    const under = createCachedFetchesFixture(rules);
    fill(under, '1', '2');
    const asked = under.fetch(names, ['1', '2', '3']);
    at(under, 1).answer([null], {}, [error('no', { entityIndex: 0, path: [] })]);
    expect(asked.result).toMatchObject({
      errors: [{ entity: 2 }],
      data: [...named('name of 1', 'name of 2'), null],
    });
  });
});

describe('what a subgraph says', () => {
  test.each([
    ['no-store', { cacheControl: 'no-store' }],
    ['an age that is over', { cacheControl: 'max-age=5', age: '40' }],
  ])('%s: is not kept', (_, headers) => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1']);
    at(under, 0).answer(named('one'), headers);
    under.fetch(names, ['1']);
    expect(under.subgraphs.calls).toHaveLength(2);
    expect(under.problems).toEqual([]);
  });

  test('that makes no sense is told', () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1']);
    at(under, 0).answer(named('one'), { cacheControl: 'max-age=soon' });
    expect(under.problems).toEqual([expect.stringContaining('products: Cache-Control: max-age')]);
  });

  test('shortens the rule', () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1']);
    at(under, 0).answer(named('one'), { cacheControl: 'max-age=2, must-revalidate' });
    under.clock.now += 1_999;
    under.fetch(names, ['1']);
    expect(under.subgraphs.calls).toHaveLength(1);
    under.clock.now += 1;
    under.fetch(names, ['1']);
    expect(under.subgraphs.calls).toHaveLength(2);
  });
});

describe('private values', () => {
  const of = (identity: string | undefined): RequestContext => createRequestContext({ identity });

  test('are kept for each identity, and for nobody without one', () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(mails, ['1'], of('ann'));
    at(under, 0).answer([{ mail: 'of ann' }]);
    expect(under.fetch(mails, ['1'], of('ann')).data).toEqual([{ mail: 'of ann' }]);
    expect(under.fetch(mails, ['1'], of('bob')).result).toBeUndefined();
    at(under, 1).answer([{ mail: 'of bob' }]);
    expect(under.fetch(mails, ['1'], of('bob')).data).toEqual([{ mail: 'of bob' }]);
    const nobody = under.fetch(mails, ['1'], of(undefined));
    at(under, 2).answer([{ mail: 'nobody' }]);
    expect(nobody.data).toEqual([{ mail: 'nobody' }]);
    expect(under.fetch(mails, ['1'], of(undefined)).result).toBeUndefined();
  });

  test('that the subgraph calls private are not public any more', () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1'], of('ann'));
    at(under, 0).answer(named('for ann'), { cacheControl: 'private' });
    expect(under.fetch(names, ['1'], of('ann')).data).toEqual(named('for ann'));
    expect(under.fetch(names, ['1'], of('bob')).result).toBeUndefined();
    expect(under.fetch(names, ['1'], of(undefined)).result).toBeUndefined();
  });

  test('whoever waits for an answer that turns out to be private asks for himself', async () => {
    const under = createCachedFetchesFixture(rules);
    const ann = under.fetch(names, ['1'], of('ann'));
    const bob = under.fetch(names, ['1'], of('bob'));
    expect(under.subgraphs.calls).toHaveLength(1);
    at(under, 0).answer(named('for ann'), { cacheControl: 'private' });
    await waitForTurns();
    at(under, 1).answer(named('for bob'), { cacheControl: 'private' });
    expect([ann.data, bob.data]).toEqual([named('for ann'), named('for bob')]);
  });
});

describe('stale values', () => {
  test('go out at once while one refresh runs', async () => {
    const under = createCachedFetchesFixture(rules);
    fill(under, '1');
    under.clock.now += 12_000;
    const asked = [1, 2, 3].map(() => under.fetch(names, ['1']));
    for (const one of asked) {
      expect(one.result).toMatchObject({
        data: named('name of 1'),
        caching: { leftMs: -2_000 },
        stale: new Map([[0, { ageMs: 12_000, reason: 'revalidating' }]]),
      });
    }
    expect(under.subgraphs.calls).toHaveLength(2);
    expect(at(under, 1).call.group).toBe(1);
    at(under, 1).answer(named('new'));
    await waitForTurns();
    expect(under.fetch(names, ['1']).result).toMatchObject({ data: named('new'), stale: undefined });
    expect(under.subgraphs.calls).toHaveLength(2);
  });

  test('are not asked for anew at once where a refresh has failed', async () => {
    const under = createCachedFetchesFixture(rules);
    fill(under, '1');
    under.clock.now += 12_000;
    under.fetch(names, ['1']);
    at(under, 1).fail();
    expect(under.fetch(names, ['1']).data).toEqual(named('name of 1'));
    expect(under.subgraphs.calls).toHaveLength(2);
    under.clock.now += 1_000;
    under.fetch(names, ['1']);
    expect(under.subgraphs.calls).toHaveLength(3);
  });

  test('answer where the subgraph fails', () => {
    const under = createCachedFetchesFixture(rules);
    fill(under, '1', '2');
    under.clock.now += 40_000;
    const asked = under.fetch(names, ['1', '2', '3']);
    at(under, 1).fail();
    expect(asked.result).toMatchObject({
      data: [...named('name of 1', 'name of 2'), undefined],
      errors: [{ entity: 2, entry: { code: 'SUBGRAPH_UNREACHABLE' } }],
      stale: new Map([
        [0, { ageMs: 40_000, reason: 'error' }],
        [1, { ageMs: 40_000, reason: 'error' }],
      ]),
    });
    under.clock.now += 30_000;
    const late = under.fetch(names, ['1', '2']);
    at(under, 2).fail();
    expect(late.result).toMatchObject({ kind: 'failed' });
  });

  test('answer where the subgraph has an error of its own, and hide it', () => {
    const under = createCachedFetchesFixture(rules);
    fill(under, '1', '2');
    under.clock.now += 40_000;
    const asked = under.fetch(names, ['1', '2']);
    at(under, 1).answer([{ name: 'new' }, null], {}, [error('broken', { entityIndex: 1 })]);
    expect(asked.result).toMatchObject({
      data: named('new', 'name of 2'),
      errors: [],
      stale: new Map([[1, { ageMs: 40_000, reason: 'error' }]]),
    });
  });

  test('answer for all where one error took the data along', () => {
    const under = createCachedFetchesFixture(rules);
    fill(under, '1', '2');
    under.clock.now += 40_000;
    const asked = under.fetch(names, ['1', '2']);
    at(under, 1).answer(undefined, {}, [error('broken', { entityIndex: 1 })]);
    expect(asked.result).toMatchObject({ data: named('name of 1', 'name of 2'), errors: [] });
  });

  test.each(['FORBIDDEN', 'UNAUTHENTICATED'])('do not answer what is refused: %s', (code) => {
    const under = createCachedFetchesFixture(rules);
    fill(under, '1');
    under.clock.now += 40_000;
    const asked = under.fetch(names, ['1']);
    at(under, 1).answer([null], {}, [error('no', { entityIndex: 0 }, code)]);
    expect(asked.result).toMatchObject({
      data: [null],
      errors: [{ entry: { message: 'no' } }],
      stale: undefined,
    });
  });

  test('do not answer what is refused by its status', () => {
    const under = createCachedFetchesFixture(rules);
    fill(under, '1');
    under.clock.now += 40_000;
    const asked = under.fetch(names, ['1']);
    at(under, 1).fail(
      new GatewayError('SUBGRAPH_ERROR', 'refused', { extensions: { http: { status: 403 } } }),
    );
    expect(asked.result).toMatchObject({ kind: 'failed' });
  });
});

describe('who asks for what is being fetched', () => {
  test('waits for it', async () => {
    const under = createCachedFetchesFixture(rules);
    const first = under.fetch(names, ['1', '2']);
    const others = [under.fetch(names, ['2', '1']), under.fetch(names, ['1', '3'])];
    expect(under.subgraphs.calls.map(({ requestedItems }) => requestedItems)).toEqual([['1', '2'], ['3']]);
    at(under, 0).answer(named('one', 'two'));
    at(under, 1).answer(named('three'));
    await waitForTurns();
    expect([first, ...others].map(({ data }) => data)).toEqual([
      named('one', 'two'),
      named('two', 'one'),
      named('one', 'three'),
    ]);
    expect(under.cache.singleFlight.size).toBe(0);
  });

  test('fails with it', () => {
    const under = createCachedFetchesFixture(rules);
    const both = [under.fetch(names, ['1']), under.fetch(names, ['1'])];
    at(under, 0).fail();
    for (const { result } of both) expect(result).toMatchObject({ kind: 'failed' });
    expect(under.subgraphs.calls).toHaveLength(1);
  });

  test('asks for it where it could not be kept', async () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1']);
    const other = under.fetch(names, ['1']);
    at(under, 0).answer(named('one'), { cacheControl: 'no-store' });
    await waitForTurns();
    at(under, 1).answer(named('uno'), { cacheControl: 'no-store' });
    expect(other.data).toEqual(named('uno'));
  });

  test('gets it although the first one leaves', async () => {
    const under = createCachedFetchesFixture(rules);
    const first = under.fetch(names, ['1']);
    const other = under.fetch(names, ['1']);
    first.cancel();
    expect(at(under, 0).isCancelled).toBe(false);
    at(under, 0).answer(named('one'));
    await waitForTurns();
    expect(other.data).toEqual(named('one'));
    expect(first.result).toBeUndefined();
  });

  test('asks anew where the first one ran out of time', async () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1']);
    const other = under.fetch(names, ['1']);
    at(under, 0).fail(new GatewayError('DEADLINE_EXCEEDED', 'late'));
    await waitForTurns();
    at(under, 1).answer(named('one'));
    expect(other.data).toEqual(named('one'));
  });

  test('does not wait longer than it may', async () => {
    const due: (() => void)[] = [];
    const timers: Timers = {
      now: () => 0,
      after: (_, run) => {
        due.push(run);
        return () => undefined;
      },
    };
    const under = createCachedFetchesFixture(rules, { timers });
    under.fetch(names, ['1']);
    const other = under.fetch(
      names,
      ['1'],
      createRequestContext({ deadlineFor: () => performance.now() + 50 }),
    );
    due[0]?.();
    expect(other.result).toMatchObject({ kind: 'failed', error: { code: 'DEADLINE_EXCEEDED' } });
    at(under, 0).answer(named('one'));
    await waitForTurns();
    expect(other.isDone).toBe(true);
  });

  test('nothing is left of a request that is cancelled', () => {
    const under = createCachedFetchesFixture(rules);
    const asked = under.fetch(names, ['1']);
    asked.cancel();
    expect(at(under, 0).isCancelled).toBe(true);
    expect(under.cache.singleFlight.size).toBe(0);
  });
});

describe('root fields', () => {
  const both = rootShape('products', 'query Shop { news hits }');
  const top = new FetchShape(0, {
    kind: 'Fetch',
    serviceName: 'products',
    operation: 'query Top($first: Int) { top(first: $first) { name } news }',
    operationKind: 'query',
    variableUsages: ['first'],
  });

  test('are kept each by itself', () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(both);
    at(under, 0).answer({ news: 'old', hits: 1 });
    const asked = under.fetch(both);
    expect(at(under, 1).requestedItems).toEqual(['hits']);
    at(under, 1).answer({ hits: 2 });
    expect(asked.result).toMatchObject({ data: { news: 'old', hits: 2 }, caching: undefined });
  });

  test('are the same in another operation', () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(both);
    at(under, 0).answer({ news: 'old', hits: 1 });
    expect(under.fetch(rootShape('products', 'query Other { news }')).data).toEqual({ news: 'old' });
  });

  test('are kept apart by the variables that they use, and only by those', () => {
    const under = createCachedFetchesFixture(rules);
    const first = (n: number) => createRequestContext({ variables: { first: n } });
    under.fetch(top, undefined, first(1));
    at(under, 0).answer({ top: named('one'), news: 'old' });
    const asked = under.fetch(top, undefined, first(2));
    expect(at(under, 1).requestedItems).toEqual(['top']);
    expect(at(under, 1).call.shape.variables).toEqual(['first']);
    at(under, 1).answer({ top: named('one', 'two') });
    expect(asked.data).toEqual({ top: named('one', 'two'), news: 'old' });
    under.clock.now += 15_000;
    under.fetch(top, undefined, first(3));
    const [refreshed] = under.subgraphs.calls.filter(({ call }) => call.group === 1);
    expect(refreshed?.requestedItems).toEqual(['news']);
    expect(refreshed?.call.shape.variables).toEqual([]);
    expect(refreshed?.call.shape.operationText).not.toContain('$first');
  });

  test('that are stale are told by name', () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(both);
    at(under, 0).answer({ news: 'old', hits: 1 });
    under.clock.now += 11_000;
    const asked = under.fetch(both);
    under.subgraphs.calls
      .findLast(({ requestedItems: fields }) => fields.includes('hits'))
      ?.answer({ hits: 2 });
    expect(asked.result).toMatchObject({
      stale: new Map([['news', { ageMs: 11_000, reason: 'revalidating' }]]),
    });
  });
});

describe('invalidation', () => {
  test('what began to be read before is not kept', async () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1']);
    const waiting = under.fetch(names, ['1']);
    await under.store.deleteByTags([entityTag('Product', { id: '1' })]);
    at(under, 0).answer(named('old'));
    await waitForTurns();
    at(under, 1).answer(named('new'));
    expect(waiting.data).toEqual(named('new'));
    expect(under.fetch(names, ['1']).data).toEqual(named('new'));
  });

  test('calls from before and from after an invalidation are never shared', async () => {
    const under = createCachedFetchesFixture(rules);
    under.fetch(names, ['1']);
    await under.store.deleteByTags(['anything']);
    under.fetch(names, ['2']);
    const [before, after] = under.subgraphs.calls.map(({ call }) => call.requestContext.sharingKey);
    expect(before).not.toBe(after);
  });
});
