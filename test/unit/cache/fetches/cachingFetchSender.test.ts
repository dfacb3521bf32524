import { describe, expect, test } from '@jest/globals';
import type { CacheObserver } from '../../../../gateway/cache/cacheMetrics.ts';
import type { FetchCall } from '../../../../gateway/execution/fetchCall.ts';
import { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import type { RequestContext } from '../../../../gateway/execution/requestContext.ts';
import { runInSlices, type SlicedTask } from '../../../../gateway/time/slicedTask.ts';
import { entityShape, readRulesOf, rootShape } from '../../../harness/cachedSubgraphs.ts';
import { entityTag } from '../../../harness/entityTag.ts';
import { createRequestContext } from '../../../harness/fetchNodes.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import {
  type CachedFetchesFixture,
  callAt,
  createCachedFetchesFixture,
  error,
  fill,
  named,
  names,
} from './cachedFetchesFixture.ts';
import { silentObserver } from './silentObserver.ts';

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
const either = entityShape('products', '... on Product { name } ... on User { mail }');
const news = rootShape('products', '{ news }');
const mails = entityShape('products', '... on User { mail }');

function ignore(): void {}

/** Takes longer than all sliced tasks together may take in one turn of the event loop. */
function* spendTurn(): SlicedTask {
  yield;
  const end = performance.now() + 12;
  while (performance.now() < end);
  yield;
}

describe('Cached entities', () => {
  test('are not fetched again, and are merged with fetched entities', () => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1', '2', '4');
    const request = fixture.fetch(names, ['1', '3', '2', '4']);
    expect(callAt(fixture, 1).requestedItems).toEqual(['3']);
    expect(request.result).toBeUndefined();
    callAt(fixture, 1).answer(named('third'));
    expect(request.data).toEqual(named('name of 1', 'third', 'name of 2', 'name of 4'));
    expect(request.isDone).toBe(true);
    expect(request.result).toMatchObject({
      caching: { scope: 'PUBLIC', freshForMs: 10_000 },
      stale: undefined,
    });
  });

  test('answer in the same turn if none is missing', () => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1', '2');
    fixture.clock.now += 4_000;
    const request = fixture.fetch(names, ['2', '1']);
    expect(request.data).toEqual(named('name of 2', 'name of 1'));
    expect(request.result).toMatchObject({ errors: [], caching: { ageMs: 4_000, freshForMs: 6_000 } });
    expect(fixture.subgraphs.calls).toHaveLength(1);
  });

  test('of several calls are the results of their own call, and are counted by their type', () => {
    const lookups: unknown[] = [];
    const onLookup: CacheObserver['onLookup'] = ({ type, hits }) => lookups.push([type, hits]);
    const fixture = createCachedFetchesFixture(rules, { observer: { ...silentObserver, onLookup } });
    const requestContext = createRequestContext({ identity: 'ann' });
    fixture.fetch(names, ['0'], requestContext);
    const { call } = callAt(fixture, 0);
    const results: unknown[] = [];
    const settle: FetchCall['settle'] = (result, done) => {
      results.push(result.kind === 'completed' && result.data);
      done();
    };
    const representations = ['Product', 'Product', 'User'].map(
      (type, id) => `{"__typename":"${type}","id":"${id}"}`,
    );
    const calls = [
      { ...call, shape: either, representations, settle },
      { ...call, representations: ['{"__typename":"Product","id":"3"}'], settle },
    ];
    const send = () => fixture.fetches.sendEntities({ calls, requestContext, onDone: () => {} });
    send();
    const answers = [[...named('one', 'two'), { mail: 'a@b.c' }], named('three')];
    for (const [index, data] of answers.entries()) callAt(fixture, index + 1).answer(data);
    lookups.length = 0;
    send();
    expect(results).toEqual([...answers, ...answers]);
    expect(lookups).toEqual([
      ['Product', 2],
      ['User', 1],
      ['Product', 1],
    ]);
  });

  test('are other objects for each request', () => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1');
    for (let read = 0; read < 4; read++) {
      const [one] = fixture.fetch(names, ['1']).data as { name: string }[];
      expect(one).toEqual({ name: 'name of 1' });
      (one as { name: string }).name = 'changed';
    }
  });

  test('have the same result whether their entries are read at once or with a delay', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1', '2', '3']);
    callAt(fixture, 0).answer([{ name: 'a "quoted" name' }, null, { name: 'plain' }]);
    fixture.fetch(news);
    callAt(fixture, 1).answer({ news: 'old' });
    fixture.clock.now += 3_000;
    const delayed = createCachedFetchesFixture(rules, {
      now: () => fixture.clock.now,
      store: Object.create(fixture.store, {
        getMany: { value: async (keys: readonly string[]) => fixture.store.getMany(keys) },
      }),
    });
    const results = ({ fetch }: CachedFetchesFixture) => [
      fetch(names, ['3', '1']),
      fetch(names, ['2', '3']),
      fetch(news),
    ];
    // Entries that are read again are stored parsed.
    for (let read = 0; read < 3; read++) {
      const [atOnce, later] = [results(fixture), results(delayed)];
      const found = atOnce.map(({ result }) => result);
      expect(later.map(({ result }) => result)).toStrictEqual([undefined, undefined, undefined]);
      await waitForTurns();
      expect(found).toEqual(later.map(({ result }) => result));
      expect(found.map((result) => result?.kind)).toEqual(['completed', 'completed', 'completed']);
      expect([...atOnce, ...later].every(({ isDone }) => isDone)).toBe(true);
    }
  });

  test('that are null are stored for cache.nullMaxAge, also beside others, which are stored for longer', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1', '2']);
    callAt(fixture, 0).answer([{ name: 'one' }, null]);
    fixture.fetch(names, ['4', '3']);
    callAt(fixture, 1).answer([null, { name: 'three' }]);
    fixture.clock.now += 5_000;
    fixture.fetch(names, ['1', '2', '3', '4']);
    expect(callAt(fixture, 2).requestedItems).toEqual(['2', '4']);
  });

  test('with escape sequences are marked as such, also if they are returned beside values without', () => {
    const fixture = createCachedFetchesFixture(rules);
    const answerWith = (index: number, name: string, isEscapeFree: boolean): void => {
      const result = { kind: 'completed', data: [{ name }], errors: [], isEscapeFree } as const;
      const absent = { metadata: undefined, caching: undefined, stale: undefined };
      callAt(fixture, index).call.settle({ ...result, ...absent }, () => {});
    };
    const isEscapeFree = (...ids: string[]): unknown => {
      const { result } = fixture.fetch(names, ids);
      return result?.kind === 'completed' ? result.isEscapeFree : undefined;
    };
    fixture.fetch(names, ['plain']);
    answerWith(0, 'plain', true);
    fixture.fetch(names, ['quoted']);
    answerWith(1, 'a "quoted" name', false);
    const [plain, quoted, both] = [
      ['plain', '1'],
      ['quoted', '2'],
      ['plain', '3'],
    ].map((ids) => fixture.fetch(names, ids));
    answerWith(2, 'one', true);
    answerWith(3, 'two', true);
    answerWith(4, 'a "quoted" one', false);
    expect([plain?.result, quoted?.result, both?.result]).toMatchObject([
      { isEscapeFree: true },
      { isEscapeFree: false },
      { isEscapeFree: false },
    ]);
    expect([isEscapeFree('plain'), isEscapeFree('quoted', 'plain')]).toEqual([true, false]);
  });

  test('that are null are stored for cache.nullMaxAge', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    callAt(fixture, 0).answer([null]);
    expect(fixture.fetch(names, ['1']).data).toEqual([null]);
    fixture.clock.now += 5_000;
    fixture.fetch(names, ['1']);
    expect(fixture.subgraphs.calls).toHaveLength(2);
  });

  test('are stored unless they have errors of their own', () => {
    const fixture = createCachedFetchesFixture(rules);
    const request = fixture.fetch(names, ['1', '2']);
    callAt(fixture, 0).answer([{ name: null }, { name: 'two' }], {}, [
      error('no', { entityIndex: 0, path: ['name'] }),
    ]);
    expect(request.result).toMatchObject({
      errors: [{ entityIndex: 0, path: ['name'] }],
      caching: undefined,
    });
    fixture.fetch(names, ['1', '2']);
    expect(callAt(fixture, 1).requestedItems).toEqual(['1']);
  });

  test('are not stored if the response has a general error', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    callAt(fixture, 0).answer(named('one'), {}, [error('odd')]);
    fixture.fetch(names, ['1']);
    expect(fixture.subgraphs.calls).toHaveLength(2);
  });

  test('have errors with their index in the whole call', () => {
    const fixture = createCachedFetchesFixture(rules);
    fill(fixture, '1', '2');
    const request = fixture.fetch(names, ['1', '2', '3']);
    callAt(fixture, 1).answer([null], {}, [error('no', { entityIndex: 0, path: [] })]);
    expect(request.result).toMatchObject({
      errors: [{ entityIndex: 2 }],
      data: [...named('name of 1', 'name of 2'), null],
    });
  });
});

describe('The cache metadata of a subgraph', () => {
  test.each([
    ['no-store', { cacheControl: 'no-store' }],
    ['an age beyond max-age', { cacheControl: 'max-age=5', age: '40' }],
  ])('prevents storing with %s', (_, headers) => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    callAt(fixture, 0).answer(named('one'), headers);
    fixture.fetch(names, ['1']);
    expect(fixture.subgraphs.calls).toHaveLength(2);
  });

  test('is reported if it is invalid', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    callAt(fixture, 0).answer(named('one'), { cacheControl: 'max-age=soon' });
    expect(fixture.notStored).toEqual([
      expect.stringMatching(/^products: Product\.name: Cache-Control: max-age is "soon"/),
    ]);
  });

  test('shortens the lifetime of the rule', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    callAt(fixture, 0).answer(named('one'), { cacheControl: 'max-age=2, must-revalidate' });
    fixture.clock.now += 1_999;
    fixture.fetch(names, ['1']);
    expect(fixture.subgraphs.calls).toHaveLength(1);
    fixture.clock.now += 1;
    fixture.fetch(names, ['1']);
    expect(fixture.subgraphs.calls).toHaveLength(2);
  });
});

describe('Private values', () => {
  const of = (identity: string | undefined): RequestContext => createRequestContext({ identity });

  test('are stored for each identity, and not for requests without one', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(mails, ['1'], of('ann'));
    callAt(fixture, 0).answer([{ mail: 'of ann' }]);
    expect(fixture.fetch(mails, ['1'], of('ann')).data).toEqual([{ mail: 'of ann' }]);
    expect(fixture.fetch(mails, ['1'], of('bob')).result).toBeUndefined();
    callAt(fixture, 1).answer([{ mail: 'of bob' }]);
    expect(fixture.fetch(mails, ['1'], of('bob')).data).toEqual([{ mail: 'of bob' }]);
    const anonymous = fixture.fetch(mails, ['1'], of(undefined));
    callAt(fixture, 2).answer([{ mail: 'anonymous' }]);
    expect(anonymous.data).toEqual([{ mail: 'anonymous' }]);
    expect(fixture.fetch(mails, ['1'], of(undefined)).result).toBeUndefined();
  });

  test.each([
    ['an entity', names, ['1'], (name: string) => named(name)],
    ['a root field', news, undefined, (name: string) => ({ news: name })],
  ])('replace public ones when the subgraph marks its answer private: %s', (_, shape, ids, dataOf) => {
    const fixture = createCachedFetchesFixture(rules);
    const fetchFor = (identity: string | undefined) => fixture.fetch(shape, ids, of(identity));
    fetchFor('ann');
    callAt(fixture, 0).answer(dataOf('for ann'), { cacheControl: 'private' });
    expect(fetchFor('ann').data).toEqual(dataOf('for ann'));
    expect(fetchFor('bob').result).toBeUndefined();
    expect(fetchFor(undefined).result).toBeUndefined();
    callAt(fixture, 1).answer(dataOf('for all'));
    expect(fetchFor('bob').data).toEqual(dataOf('for all'));
    expect(fetchFor('ann').data).toEqual(dataOf('for ann'));
  });

  test('make each joiner send its own fetch when the answer of the leader is private', async () => {
    const fixture = createCachedFetchesFixture(rules);
    const identities = ['ann', 'bob', 'eve'];
    const requests = identities.map((identity) => fixture.fetch(names, ['1'], of(identity)));
    expect(fixture.subgraphs.calls).toHaveLength(1);
    callAt(fixture, 0).answer(named('for ann'), { cacheControl: 'private' });
    await waitForTurns();
    callAt(fixture, 1).answer(named('for bob'), { cacheControl: 'private' });
    callAt(fixture, 2).answer(named('for eve'), { cacheControl: 'private' });
    expect(requests.map(({ data }) => data)).toEqual(identities.map((identity) => named(`for ${identity}`)));
  });

  test('are served to a joiner with the identity of its leader', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1'], of('ann'));
    callAt(fixture, 0).answer(named('one'), { cacheControl: 'private' });
    const both = [1, 2].map(() => fixture.fetch(names, ['2'], of('ann')));
    callAt(fixture, 1).answer(named('two'), { cacheControl: 'private' });
    await waitForTurns();
    expect(both.map(({ data }) => data)).toEqual([named('two'), named('two')]);
    expect(fixture.subgraphs.calls).toHaveLength(2);
  });

  test('are those of their items when values become private during a lookup', async () => {
    const fixture = createCachedFetchesFixture(rules);
    const ids = Array.from({ length: 150 }, (_, index) => String(index));
    fill(fixture, ...ids);
    await waitForTurns(10);
    fixture.fetch(names, ['other'], of('ann'));
    // Lookups of more than 100 items wait for the next turn when this one has no time left.
    runInSlices(spendTurn(), ignore, ignore);
    const request = fixture.fetch(names, [...ids.slice(1), 'missing'], of('ann'));
    callAt(fixture, 1).answer(named('secret'), { cacheControl: 'private' });
    await waitForTurns(10);
    expect(callAt(fixture, 2).requestedItems).toEqual(['missing']);
    callAt(fixture, 2).answer(named('fetched'));
    expect(request.data).toEqual(named(...ids.slice(1).map((id) => `name of ${id}`), 'fetched'));
  });
});

describe('Cached root fields', () => {
  const both = rootShape('products', 'query Shop { news hits }');
  const top = new FetchShape(0, {
    kind: 'Fetch',
    serviceName: 'products',
    operation: 'query Top($first: Int) { top(first: $first) { name } news }',
    operationKind: 'query',
    variableUsages: ['first'],
  });

  test('are stored separately', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(both);
    callAt(fixture, 0).answer({ news: 'old', hits: 1 });
    const request = fixture.fetch(both);
    expect(callAt(fixture, 1).requestedItems).toEqual(['hits']);
    callAt(fixture, 1).answer({ hits: 2 });
    expect(request.result).toMatchObject({ data: { news: 'old', hits: 2 }, caching: undefined });
  });

  test('are counted for the type of the root', () => {
    const lookups: unknown[] = [];
    const onLookup: CacheObserver['onLookup'] = ({ type, hits }) => lookups.push([type, hits]);
    const fixture = createCachedFetchesFixture(rules, { observer: { ...silentObserver, onLookup } });
    fixture.fetch(news);
    callAt(fixture, 0).answer({ news: 'old' });
    fixture.fetch(news);
    expect(lookups).toEqual([
      ['Query', 0],
      ['Query', 1],
    ]);
  });

  test('are shared by operations with different names', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(both);
    callAt(fixture, 0).answer({ news: 'old', hits: 1 });
    expect(fixture.fetch(rootShape('products', 'query Other { news }')).data).toEqual({ news: 'old' });
  });

  test('have keys that depend only on the variables that they use', () => {
    const fixture = createCachedFetchesFixture(rules);
    const first = (n: number) => createRequestContext({ variables: { first: n } });
    fixture.fetch(top, undefined, first(1));
    callAt(fixture, 0).answer({ top: named('one'), news: 'old' });
    const request = fixture.fetch(top, undefined, first(2));
    expect(callAt(fixture, 1).requestedItems).toEqual(['top']);
    expect(callAt(fixture, 1).call.shape.variables).toEqual(['first']);
    callAt(fixture, 1).answer({ top: named('one', 'two') });
    expect(request.data).toEqual({ top: named('one', 'two'), news: 'old' });
    fixture.clock.now += 15_000;
    fixture.fetch(top, undefined, first(3));
    const [refreshed] = fixture.subgraphs.calls.filter(({ call }) => call.group === 1);
    expect(refreshed?.requestedItems).toEqual(['news']);
    expect(refreshed?.call.shape.variables).toEqual([]);
    expect(refreshed?.call.shape.operationText).not.toContain('$first');
  });

  test('are reported by response name if they are stale', () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(both);
    callAt(fixture, 0).answer({ news: 'old', hits: 1 });
    fixture.clock.now += 11_000;
    const request = fixture.fetch(both);
    fixture.subgraphs.calls
      .findLast(({ requestedItems: fields }) => fields.includes('hits'))
      ?.answer({ hits: 2 });
    expect(request.result).toMatchObject({
      stale: new Map([['news', { ageMs: 11_000, reason: 'revalidating' }]]),
    });
  });
});

describe('After an invalidation,', () => {
  test('answers of reads that began before are not stored', async () => {
    const fixture = createCachedFetchesFixture(rules);
    fixture.fetch(names, ['1']);
    const waiting = fixture.fetch(names, ['1']);
    await fixture.store.deleteByTags([entityTag('Product', { id: '1' })]);
    callAt(fixture, 0).answer(named('old'));
    await waitForTurns();
    callAt(fixture, 1).answer(named('new'));
    expect(waiting.data).toEqual(named('new'));
    expect(fixture.fetch(names, ['1']).data).toEqual(named('new'));
  });

  test.each([
    ['an entity', names, ['1'], names, ['2']],
    ['a root field', news, undefined, rootShape('products', '{ top { name } }'), undefined],
  ])(
    'fetches share no subgraph call with fetches from before, for %s',
    async (_, shape, ids, other, otherIds) => {
      const fixture = createCachedFetchesFixture(rules);
      fixture.fetch(shape, ids);
      await fixture.store.deleteByTags(['anything']);
      fixture.fetch(other, otherIds);
      const [before, after] = fixture.subgraphs.calls.map(({ call }) => call.requestContext.sharingKey);
      expect(before).not.toBe(after);
    },
  );
});

describe('A fault of the gateway', () => {
  const fault = new RangeError('Invalid string length');
  const fail = (): never => {
    throw fault;
  };

  test.each([
    ['looks up', { observer: { ...silentObserver, onLookup: fail } }],
    ['stores', { observer: { ...silentObserver, onStored: fail } }],
    ['reads', { headerNames: fail }],
  ])('while the cache %s values fails the fetch as such, and is reported once', (step, options) => {
    const faults: unknown[] = [];
    const whole = createCachedFetchesFixture(rules);
    fill(whole, '1');
    const fixture = createCachedFetchesFixture(rules, {
      ...options,
      onFault: (cause, subgraph) => faults.push([cause, subgraph]),
      ...(step === 'reads' ? { store: whole.store, now: () => whole.clock.now } : {}),
    });
    const request = fixture.fetch(names, step === 'reads' ? ['1', '2'] : ['1']);
    if (step === 'reads') fixture.subgraphs.calls[0]?.fail();
    else fixture.subgraphs.calls[0]?.answer(named('one'));
    expect(faults).toEqual([[fault, 'products']]);
    // An error with a subgraph is not reported again by the execution.
    expect(request.result).toMatchObject({
      kind: 'failed',
      error: { code: 'INTERNAL_SERVER_ERROR', subgraph: 'products', cause: fault },
    });
  });
});
