import { expect, test } from '@jest/globals';
import { createCacheAdministration, describeEntry } from '../../../gateway/cache/cacheAdministration.ts';
import type { CacheRules } from '../../../gateway/cache/rules/cacheRules.ts';
import type { CacheEntry } from '../../../gateway/cache/store/cacheStore.ts';
import { MemoryStore } from '../../../gateway/cache/store/memoryStore.ts';
import { customTag, subgraphTag, typeTag, unknownEntityTag } from '../../../gateway/cache/tags/tagNames.ts';
import { readRulesOf } from '../../harness/cachedSubgraphs.ts';
import { entityTag } from '../../harness/entityTag.ts';
import { silentObserver } from './fetches/silentObserver.ts';

const storedAt = Date.UTC(2026, 0, 1);

const entry: CacheEntry = {
  value: '{"name":"Table","stock":3}',
  storedAt,
  freshUntil: storedAt + 5_000,
  staleWhileRevalidateUntil: storedAt + 35_000,
  staleIfErrorUntil: storedAt + 605_000,
  tags: [
    subgraphTag('inventory'),
    typeTag('Product'),
    typeTag('Warehouse'),
    entityTag('Product', { id: '1' }),
    customTag('sale "now": 50%'),
  ],
};

test('describeEntry lists the names in the tags of an entry, and its remaining times', () => {
  const view = describeEntry('1:abc', { entry, from: 'redis', bytes: 321 }, storedAt + 2_000);
  expect(view).toEqual({
    key: '1:abc',
    from: 'redis',
    subgraphs: ['inventory'],
    types: ['Product', 'Warehouse'],
    tags: ['sale "now": 50%'],
    storedAt: '2026-01-01T00:00:00.000Z',
    ageMs: 2_000,
    freshForMs: 3_000,
    staleWhileRevalidateForMs: 33_000,
    staleIfErrorForMs: 603_000,
    bytes: 321,
    value: { name: 'Table', stock: 3 },
  });
});

test('describeEntry returns 0 for expired times, and for a negative age', () => {
  const expired = describeEntry('1:abc', { entry, from: 'memory', bytes: 1 }, storedAt + 100_000);
  expect([expired.freshForMs, expired.staleWhileRevalidateForMs, expired.staleIfErrorForMs]).toEqual([
    0, 0, 505_000,
  ]);
  expect(describeEntry('1:abc', { entry, from: 'memory', bytes: 1 }, storedAt - 50).ageMs).toBe(0);
});

test('describeEntry returns the stored text of a value that is not valid JSON', () => {
  const broken = { ...entry, value: '{"name":' };
  expect(describeEntry('1:abc', { entry: broken, from: 'redis', bytes: 1 }, storedAt).value).toBe('{"name":');
});

const { rules } = await readRulesOf({
  inventory: `
    type Query { top: Product }
    type Product @key(fields: "id") @cached(maxAge: "10s") { id: ID! name: String }`,
});

const ruled = (): CacheRules | undefined => rules;

/** The operations of a cache with an entry for each list of tags. */
function openAdmin(
  tagsByKey: Readonly<Record<string, readonly string[]>>,
  findRules = ruled,
  hasSupergraph = true,
) {
  const now = () => storedAt;
  const store = new MemoryStore({ maxSize: 100_000, now });
  store.setMany(
    Object.entries(tagsByKey).map(([key, tags]) => ({ ...entry, key, tags })),
    store.beginRead(),
  );
  const invalidations: unknown[] = [];
  const admin = createCacheAdministration({
    store,
    observer: { ...silentObserver, onInvalidated: (invalidated) => invalidations.push(invalidated) },
    rules: findRules,
    hasSupergraph: () => hasSupergraph,
    reportRules: ({ declared }) => declared.map(({ name }) => name) as never,
    now,
  });
  return { admin, store, invalidations };
}

test('the entries of an entity are those that contain it, up to the limit, and it is said whether there are more', async () => {
  const { admin } = openAdmin({
    a: [entityTag('Product', { id: '1' })],
    b: [entityTag('Product', { id: '1' }), typeTag('Product')],
    other: [entityTag('Product', { id: '2' }), typeTag('Product')],
    unknown: [unknownEntityTag('Product'), typeTag('Product')],
  });
  const entriesOf = async (limit: number) => {
    const found = await admin.entriesOf({ __typename: 'Product', id: '1' }, limit);
    return found.kind === 'entries' ? [found.entries.map(({ key }) => key), found.isComplete] : found;
  };
  expect([await entriesOf(1), await entriesOf(2), await entriesOf(10)]).toEqual([
    [['a'], false],
    [['a', 'b'], true],
    [['a', 'b'], true],
  ]);
});

test('an invalidation by an operator deletes the named entries, and counts them', async () => {
  const { admin, store, invalidations } = openAdmin({ a: [customTag('sale')], b: [customTag('other')] });
  expect(await admin.invalidate({ tags: ['sale'] })).toEqual({ kind: 'done', deleted: 1, isPending: false });
  expect(store.getMany(['a', 'b'])).toEqual([undefined, expect.objectContaining({ value: entry.value })]);
  expect(invalidations).toEqual([{ by: 'admin', deleted: 1 }]);
});

test('an invalid request of an operator has its reasons, and deletes nothing', async () => {
  const { admin, store, invalidations } = openAdmin({ a: [typeTag('Product')] });
  const expected = 'expected an object with "__typename" and the fields of a key';
  expect(await admin.invalidate({ types: ['Product'], entities: [1] })).toEqual({
    kind: 'invalid',
    reasons: [`entities[0]: ${expected}`],
  });
  expect(await admin.entriesOf(1, 10)).toEqual({ kind: 'invalid', reasons: [`entity: ${expected}`] });
  expect([store.entryCount, invalidations]).toEqual([1, []]);
});

test.each([
  [
    'cache rule',
    true,
    'unused',
    'Nothing is cached: the supergraph has no cache rule (@cached, cache.rules).',
  ],
  ['supergraph', false, 'unavailable', 'No supergraph is loaded yet: GET /health/ready says why.'],
])('without a %s, operators get the reason, and nothing is deleted', async (_, isLoaded, kind, reason) => {
  const { admin, store, invalidations } = openAdmin({ a: [customTag('sale')] }, () => undefined, isLoaded);
  expect(await admin.invalidate({ tags: ['sale'] })).toEqual({ kind, reason });
  expect(await admin.entriesOf({ __typename: 'Product', id: '1' }, 10)).toEqual({ kind, reason });
  expect([admin.ruleReports(), store.entryCount, invalidations]).toEqual([[], 1, []]);
});

test('operators get the report of each cache rule', () => {
  expect(openAdmin({}).admin.ruleReports()).toEqual(['Product']);
});
