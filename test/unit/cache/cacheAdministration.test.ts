import { expect, test } from '@jest/globals';
import { createCacheAdministration, describeEntry } from '../../../gateway/cache/cacheAdministration.ts';
import type { CacheEntry } from '../../../gateway/cache/store/cacheStore.ts';
import { MemoryStore } from '../../../gateway/cache/store/memoryStore.ts';
import {
  customTag,
  entityTag,
  subgraphTag,
  typeTag,
  unknownEntityTag,
} from '../../../gateway/cache/tags/tagNames.ts';
import { readRulesOf } from '../../harness/cachedSubgraphs.ts';
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

test('the entries of an entity are those that contain it, up to the limit, and it is said whether there are more', async () => {
  const { rules } = await readRulesOf({
    inventory: `
      type Query { top: Product }
      type Product @key(fields: "id") @cached(maxAge: "10s") { id: ID! name: String }`,
  });
  const now = () => storedAt;
  const store = new MemoryStore({ maxSize: 100_000, now });
  const tagsByKey = new Map([
    ['a', [entityTag('Product', { id: '1' })]],
    ['b', [entityTag('Product', { id: '1' }), typeTag('Product')]],
    ['other', [entityTag('Product', { id: '2' }), typeTag('Product')]],
    ['unknown', [unknownEntityTag('Product'), typeTag('Product')]],
  ]);
  store.setMany(
    Array.from(tagsByKey, ([key, tags]) => ({ ...entry, key, tags })),
    store.beginRead(),
  );
  const admin = createCacheAdministration({
    store,
    observer: silentObserver,
    rules: () => rules,
    reportRules: () => [],
    now,
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
