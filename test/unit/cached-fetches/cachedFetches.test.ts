import { describe, expect, test } from '@jest/globals';
import { entityTag } from '../../../gateway/cache/tags/tagNames.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import type { FetchError } from '../../../gateway/execution/fetchCall.ts';
import { FetchShape } from '../../../gateway/execution/fetchShape.ts';
import type { RequestScope } from '../../../gateway/execution/requestScope.ts';
import type { Timers } from '../../../gateway/time/timers.ts';
import { turns } from '../../harness/clock.ts';
import { entityShape, rootShape, rulesOf } from '../cache/rules/composed.ts';
import { scopeOf } from '../execution/fetches.ts';
import { type AskedCall, cachedUnderTest, type UnderTest } from './cachedUnderTest.ts';

const { rules } = await rulesOf({
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
  entity: undefined,
  path: [],
  ...at,
});
const named = (...list: string[]): { name: string }[] => list.map((name) => ({ name }));

function at(under: UnderTest, place: number): AskedCall {
  const call = under.subgraphs.asked[place];
  if (call === undefined) throw new Error(`The subgraph was asked ${under.subgraphs.asked.length} times.`);
  return call;
}

/** Stores products under these ids. */
function fill(under: UnderTest, ...ids: string[]): void {
  const from = under.subgraphs.asked.length;
  under.ask(names, ids);
  at(under, from).answer(named(...ids.map((id) => `name of ${id}`)));
}

describe('entities', () => {
  test('that are kept are not asked for again, and merge with those that are', () => {
    const under = cachedUnderTest(rules);
    fill(under, '1', '2', '4');
    const asked = under.ask(names, ['1', '3', '2', '4']);
    expect(at(under, 1).asked).toEqual(['3']);
    expect(asked.result).toBeUndefined();
    at(under, 1).answer(named('third'));
    expect(asked.data).toEqual(named('name of 1', 'third', 'name of 2', 'name of 4'));
    expect(asked.isDone).toBe(true);
    expect(asked.result).toMatchObject({ caching: { scope: 'PUBLIC', leftMs: 10_000 }, stale: undefined });
  });

  test('that are all kept answer in the same turn', () => {
    const under = cachedUnderTest(rules);
    fill(under, '1', '2');
    under.clock.now += 4_000;
    const asked = under.ask(names, ['2', '1']);
    expect(asked.data).toEqual(named('name of 2', 'name of 1'));
    expect(asked.result).toMatchObject({ errors: [], caching: { ageMs: 4_000, leftMs: 6_000 } });
    expect(under.subgraphs.asked).toHaveLength(1);
  });

  test('are handed out as objects of their own', () => {
    const under = cachedUnderTest(rules);
    fill(under, '1');
    const [one] = under.ask(names, ['1']).data as { name: string }[];
    (one as { name: string }).name = 'changed';
    expect(under.ask(names, ['1']).data).toEqual(named('name of 1'));
  });

  test('that do not exist are kept for a short time', () => {
    const under = cachedUnderTest(rules);
    under.ask(names, ['1']);
    at(under, 0).answer([null]);
    expect(under.ask(names, ['1']).data).toEqual([null]);
    under.clock.now += 5_000;
    under.ask(names, ['1']);
    expect(under.subgraphs.asked).toHaveLength(2);
  });

  test('with errors are not kept, those beside them are', () => {
    const under = cachedUnderTest(rules);
    const asked = under.ask(names, ['1', '2']);
    at(under, 0).answer([{ name: null }, { name: 'two' }], {}, [error('no', { entity: 0, path: ['name'] })]);
    expect(asked.result).toMatchObject({ errors: [{ entity: 0, path: ['name'] }], caching: undefined });
    under.ask(names, ['1', '2']);
    expect(at(under, 1).asked).toEqual(['1']);
  });

  test('are not kept beside an error of the whole', () => {
    const under = cachedUnderTest(rules);
    under.ask(names, ['1']);
    at(under, 0).answer(named('one'), {}, [error('odd')]);
    under.ask(names, ['1']);
    expect(under.subgraphs.asked).toHaveLength(2);
  });

  test('an error is told at the place that the entity has in the whole call', () => {
    const under = cachedUnderTest(rules);
    fill(under, '1', '2');
    const asked = under.ask(names, ['1', '2', '3']);
    at(under, 1).answer([null], {}, [error('no', { entity: 0, path: [] })]);
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
    const under = cachedUnderTest(rules);
    under.ask(names, ['1']);
    at(under, 0).answer(named('one'), headers);
    under.ask(names, ['1']);
    expect(under.subgraphs.asked).toHaveLength(2);
    expect(under.mistakes).toEqual([]);
  });

  test('that makes no sense is told', () => {
    const under = cachedUnderTest(rules);
    under.ask(names, ['1']);
    at(under, 0).answer(named('one'), { cacheControl: 'max-age=soon' });
    expect(under.mistakes).toEqual([expect.stringContaining('products: Cache-Control: max-age')]);
  });

  test('shortens the rule', () => {
    const under = cachedUnderTest(rules);
    under.ask(names, ['1']);
    at(under, 0).answer(named('one'), { cacheControl: 'max-age=2, must-revalidate' });
    under.clock.now += 1_999;
    under.ask(names, ['1']);
    expect(under.subgraphs.asked).toHaveLength(1);
    under.clock.now += 1;
    under.ask(names, ['1']);
    expect(under.subgraphs.asked).toHaveLength(2);
  });
});

describe('private values', () => {
  const of = (identity: string | undefined): RequestScope => scopeOf({ identity });

  test('are kept for each identity, and for nobody without one', () => {
    const under = cachedUnderTest(rules);
    under.ask(mails, ['1'], of('ann'));
    at(under, 0).answer([{ mail: 'of ann' }]);
    expect(under.ask(mails, ['1'], of('ann')).data).toEqual([{ mail: 'of ann' }]);
    expect(under.ask(mails, ['1'], of('bob')).result).toBeUndefined();
    at(under, 1).answer([{ mail: 'of bob' }]);
    expect(under.ask(mails, ['1'], of('bob')).data).toEqual([{ mail: 'of bob' }]);
    const nobody = under.ask(mails, ['1'], of(undefined));
    at(under, 2).answer([{ mail: 'nobody' }]);
    expect(nobody.data).toEqual([{ mail: 'nobody' }]);
    expect(under.ask(mails, ['1'], of(undefined)).result).toBeUndefined();
  });

  test('that the subgraph calls private are not public any more', () => {
    const under = cachedUnderTest(rules);
    under.ask(names, ['1'], of('ann'));
    at(under, 0).answer(named('for ann'), { cacheControl: 'private' });
    expect(under.ask(names, ['1'], of('ann')).data).toEqual(named('for ann'));
    expect(under.ask(names, ['1'], of('bob')).result).toBeUndefined();
    expect(under.ask(names, ['1'], of(undefined)).result).toBeUndefined();
  });

  test('whoever waits for an answer that turns out to be private asks for himself', async () => {
    const under = cachedUnderTest(rules);
    const ann = under.ask(names, ['1'], of('ann'));
    const bob = under.ask(names, ['1'], of('bob'));
    expect(under.subgraphs.asked).toHaveLength(1);
    at(under, 0).answer(named('for ann'), { cacheControl: 'private' });
    await turns();
    at(under, 1).answer(named('for bob'), { cacheControl: 'private' });
    expect([ann.data, bob.data]).toEqual([named('for ann'), named('for bob')]);
  });
});

describe('stale values', () => {
  test('go out at once while one refresh runs', async () => {
    const under = cachedUnderTest(rules);
    fill(under, '1');
    under.clock.now += 12_000;
    const asked = [1, 2, 3].map(() => under.ask(names, ['1']));
    for (const one of asked) {
      expect(one.result).toMatchObject({
        data: named('name of 1'),
        caching: { leftMs: -2_000 },
        stale: new Map([[0, { ageMs: 12_000, reason: 'revalidating' }]]),
      });
    }
    expect(under.subgraphs.asked).toHaveLength(2);
    expect(at(under, 1).call.group).toBe(1);
    at(under, 1).answer(named('new'));
    await turns();
    expect(under.ask(names, ['1']).result).toMatchObject({ data: named('new'), stale: undefined });
    expect(under.subgraphs.asked).toHaveLength(2);
  });

  test('are not asked for anew at once where a refresh has failed', async () => {
    const under = cachedUnderTest(rules);
    fill(under, '1');
    under.clock.now += 12_000;
    under.ask(names, ['1']);
    at(under, 1).fail();
    expect(under.ask(names, ['1']).data).toEqual(named('name of 1'));
    expect(under.subgraphs.asked).toHaveLength(2);
    under.clock.now += 1_000;
    under.ask(names, ['1']);
    expect(under.subgraphs.asked).toHaveLength(3);
  });

  test('answer where the subgraph fails', () => {
    const under = cachedUnderTest(rules);
    fill(under, '1', '2');
    under.clock.now += 40_000;
    const asked = under.ask(names, ['1', '2', '3']);
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
    const late = under.ask(names, ['1', '2']);
    at(under, 2).fail();
    expect(late.result).toMatchObject({ kind: 'failed' });
  });

  test('answer where the subgraph has an error of its own, and hide it', () => {
    const under = cachedUnderTest(rules);
    fill(under, '1', '2');
    under.clock.now += 40_000;
    const asked = under.ask(names, ['1', '2']);
    at(under, 1).answer([{ name: 'new' }, null], {}, [error('broken', { entity: 1 })]);
    expect(asked.result).toMatchObject({
      data: named('new', 'name of 2'),
      errors: [],
      stale: new Map([[1, { ageMs: 40_000, reason: 'error' }]]),
    });
  });

  test('answer for all where one error took the data along', () => {
    const under = cachedUnderTest(rules);
    fill(under, '1', '2');
    under.clock.now += 40_000;
    const asked = under.ask(names, ['1', '2']);
    at(under, 1).answer(undefined, {}, [error('broken', { entity: 1 })]);
    expect(asked.result).toMatchObject({ data: named('name of 1', 'name of 2'), errors: [] });
  });

  test.each(['FORBIDDEN', 'UNAUTHENTICATED'])('do not answer what is refused: %s', (code) => {
    const under = cachedUnderTest(rules);
    fill(under, '1');
    under.clock.now += 40_000;
    const asked = under.ask(names, ['1']);
    at(under, 1).answer([null], {}, [error('no', { entity: 0 }, code)]);
    expect(asked.result).toMatchObject({
      data: [null],
      errors: [{ entry: { message: 'no' } }],
      stale: undefined,
    });
  });

  test('do not answer what is refused by its status', () => {
    const under = cachedUnderTest(rules);
    fill(under, '1');
    under.clock.now += 40_000;
    const asked = under.ask(names, ['1']);
    at(under, 1).fail(
      new GatewayError('SUBGRAPH_ERROR', 'refused', { extensions: { http: { status: 403 } } }),
    );
    expect(asked.result).toMatchObject({ kind: 'failed' });
  });
});

describe('who asks for what is being fetched', () => {
  test('waits for it', async () => {
    const under = cachedUnderTest(rules);
    const first = under.ask(names, ['1', '2']);
    const others = [under.ask(names, ['2', '1']), under.ask(names, ['1', '3'])];
    expect(under.subgraphs.asked.map(({ asked }) => asked)).toEqual([['1', '2'], ['3']]);
    at(under, 0).answer(named('one', 'two'));
    at(under, 1).answer(named('three'));
    await turns();
    expect([first, ...others].map(({ data }) => data)).toEqual([
      named('one', 'two'),
      named('two', 'one'),
      named('one', 'three'),
    ]);
    expect(under.cache.flights.size).toBe(0);
  });

  test('fails with it', () => {
    const under = cachedUnderTest(rules);
    const both = [under.ask(names, ['1']), under.ask(names, ['1'])];
    at(under, 0).fail();
    for (const { result } of both) expect(result).toMatchObject({ kind: 'failed' });
    expect(under.subgraphs.asked).toHaveLength(1);
  });

  test('asks for it where it could not be kept', async () => {
    const under = cachedUnderTest(rules);
    under.ask(names, ['1']);
    const other = under.ask(names, ['1']);
    at(under, 0).answer(named('one'), { cacheControl: 'no-store' });
    await turns();
    at(under, 1).answer(named('uno'), { cacheControl: 'no-store' });
    expect(other.data).toEqual(named('uno'));
  });

  test('gets it although the first one leaves', async () => {
    const under = cachedUnderTest(rules);
    const first = under.ask(names, ['1']);
    const other = under.ask(names, ['1']);
    first.cancel();
    expect(at(under, 0).isCancelled).toBe(false);
    at(under, 0).answer(named('one'));
    await turns();
    expect(other.data).toEqual(named('one'));
    expect(first.result).toBeUndefined();
  });

  test('asks anew where the first one ran out of time', async () => {
    const under = cachedUnderTest(rules);
    under.ask(names, ['1']);
    const other = under.ask(names, ['1']);
    at(under, 0).fail(new GatewayError('DEADLINE_EXCEEDED', 'late'));
    await turns();
    at(under, 1).answer(named('one'));
    expect(other.data).toEqual(named('one'));
  });

  test('does not wait longer than it may', async () => {
    const due: (() => void)[] = [];
    const timers: Timers = {
      after: (_, run) => {
        due.push(run);
        return () => undefined;
      },
    };
    const under = cachedUnderTest(rules, { timers });
    under.ask(names, ['1']);
    const other = under.ask(names, ['1'], scopeOf({ deadlineFor: () => performance.now() + 50 }));
    due[0]?.();
    expect(other.result).toMatchObject({ kind: 'failed', error: { code: 'DEADLINE_EXCEEDED' } });
    at(under, 0).answer(named('one'));
    await turns();
    expect(other.isDone).toBe(true);
  });

  test('nothing is left of a request that is cancelled', () => {
    const under = cachedUnderTest(rules);
    const asked = under.ask(names, ['1']);
    asked.cancel();
    expect(at(under, 0).isCancelled).toBe(true);
    expect(under.cache.flights.size).toBe(0);
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
    const under = cachedUnderTest(rules);
    under.ask(both);
    at(under, 0).answer({ news: 'old', hits: 1 });
    const asked = under.ask(both);
    expect(at(under, 1).asked).toEqual(['hits']);
    at(under, 1).answer({ hits: 2 });
    expect(asked.result).toMatchObject({ data: { news: 'old', hits: 2 }, caching: undefined });
  });

  test('are the same in another operation', () => {
    const under = cachedUnderTest(rules);
    under.ask(both);
    at(under, 0).answer({ news: 'old', hits: 1 });
    expect(under.ask(rootShape('products', 'query Other { news }')).data).toEqual({ news: 'old' });
  });

  test('are kept apart by the variables that they use, and only by those', () => {
    const under = cachedUnderTest(rules);
    const first = (n: number) => scopeOf({ variables: { first: n } });
    under.ask(top, undefined, first(1));
    at(under, 0).answer({ top: named('one'), news: 'old' });
    const asked = under.ask(top, undefined, first(2));
    expect(at(under, 1).asked).toEqual(['top']);
    expect(at(under, 1).call.shape.variables).toEqual(['first']);
    at(under, 1).answer({ top: named('one', 'two') });
    expect(asked.data).toEqual({ top: named('one', 'two'), news: 'old' });
    under.clock.now += 15_000;
    under.ask(top, undefined, first(3));
    const [refreshed] = under.subgraphs.asked.filter(({ call }) => call.group === 1);
    expect(refreshed?.asked).toEqual(['news']);
    expect(refreshed?.call.shape.variables).toEqual([]);
    expect(refreshed?.call.shape.text).not.toContain('$first');
  });

  test('that are stale are told by name', () => {
    const under = cachedUnderTest(rules);
    under.ask(both);
    at(under, 0).answer({ news: 'old', hits: 1 });
    under.clock.now += 11_000;
    const asked = under.ask(both);
    under.subgraphs.asked.findLast(({ asked: fields }) => fields.includes('hits'))?.answer({ hits: 2 });
    expect(asked.result).toMatchObject({
      stale: new Map([['news', { ageMs: 11_000, reason: 'revalidating' }]]),
    });
  });
});

describe('invalidation', () => {
  test('what began to be read before is not kept', async () => {
    const under = cachedUnderTest(rules);
    under.ask(names, ['1']);
    const waiting = under.ask(names, ['1']);
    await under.store.deleteByTags([entityTag('Product', { id: '1' })]);
    at(under, 0).answer(named('old'));
    await turns();
    at(under, 1).answer(named('new'));
    expect(waiting.data).toEqual(named('new'));
    expect(under.ask(names, ['1']).data).toEqual(named('new'));
  });

  test('calls from before and from after an invalidation are never shared', async () => {
    const under = cachedUnderTest(rules);
    under.ask(names, ['1']);
    await under.store.deleteByTags(['anything']);
    under.ask(names, ['2']);
    const [before, after] = under.subgraphs.asked.map(({ call }) => call.scope.headersFor('products').key);
    expect(before).not.toBe(after);
  });
});
