import { expect, test } from '@jest/globals';
import { describeEntry } from '../../../gateway/cache/cacheAdministration.ts';
import type { CacheEntry } from '../../../gateway/cache/store/cacheStore.ts';
import { customTag, entityTag, subgraphTag, typeTag } from '../../../gateway/cache/tags/tagNames.ts';

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
