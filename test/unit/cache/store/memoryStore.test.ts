import { expect, test } from '@jest/globals';
import { MemoryStore } from '../../../../gateway/cache/store/memoryStore.ts';
import { createCacheWrite, describeStore, TestClock } from '../../../harness/storeConformance.ts';

describeStore('memory', {
  open: async ({ now }) => {
    const store = new MemoryStore({ maxSize: 64 * 1024 ** 2, now });
    return { store, waitForWrites: async () => {}, [Symbol.asyncDispose]: () => store.close() };
  },
});

function open(maxSize: number) {
  const clock = new TestClock();
  const store = new MemoryStore({ maxSize, now: clock.now });
  const write = (...options: Parameters<typeof createCacheWrite>[1][]) =>
    store.setMany(
      options.map((each) => createCacheWrite(clock, each)),
      store.beginRead(),
    );
  return { clock, store, write };
}

test('the memory store returns entries without a promise', () => {
  const { store, write } = open(10_000);
  write({});
  expect(store.getMany(['key', 'other'])).toEqual([
    expect.objectContaining({ value: '{"name":"Table"}' }),
    undefined,
  ]);
});

test('the memory store is bounded in bytes and evicts the least recently used entries', () => {
  const { store, write } = open(50_000);
  const value = 'x'.repeat(1_000);
  write({ key: 'used', value }, { key: 'unused', value });
  for (let index = 0; index < 100; index++) {
    write({ key: `${index}`, value });
    expect(store.getMany(['used'])).not.toStrictEqual([undefined]);
    expect(store.size).toBeLessThanOrEqual(50_000);
  }
  expect(store.getMany(['unused', '99'])).toEqual([undefined, expect.objectContaining({ value })]);
  expect(store.entryCount).toBeLessThan(50);
});

test('the size of an entry includes its key, its tags and two-byte characters', () => {
  const sizeWith = (options: Parameters<typeof createCacheWrite>[1]) => {
    const { store, write } = open(1_000_000);
    write(options);
    return store.size;
  };
  const plain = sizeWith({ value: 'x'.repeat(1_000), tags: [] });
  expect(sizeWith({ value: '漢'.repeat(1_000), tags: [] })).toBe(plain + 1_000);
  expect(sizeWith({ value: 'x'.repeat(1_000), tags: [], key: 'k'.repeat(103) })).toBe(plain + 100);
  expect(sizeWith({ value: 'x'.repeat(1_000), tags: ['t'.repeat(100)] })).toBeGreaterThan(plain + 100);
});

test('an entry that is read again is also stored parsed, and its size includes that', async () => {
  const { store, write } = open(10_000);
  write({ key: 'first', tags: ['tag'] }, { key: 'again', tags: ['tag'] });
  const { size } = store;
  expect(store.getMany(['first', 'again']).map((entry) => entry?.parsed)).toStrictEqual([
    undefined,
    undefined,
  ]);
  expect(store.size).toBe(size);
  const [again] = store.getMany(['again']);
  expect(again?.parsed?.copy()).toEqual({ name: 'Table' });
  expect(store.size).toBe(size + (again?.parsed?.size ?? Number.NaN));
  expect(store.getMany(['again'])).toEqual([again]);
  expect(await store.describe('again')).toMatchObject({ bytes: store.size - size / 2 });
  expect(await store.deleteByTags(['tag'])).toEqual({ deleted: 2, isPending: false });
  expect([store.entryCount, store.size, store.tagCount]).toEqual([0, 0, 0]);
});

test('an entry is not stored parsed if it would then be larger than the whole store', () => {
  const { store, write } = open(2_000);
  const value = JSON.stringify(Array.from({ length: 20 }, () => ({})));
  write({ value, tags: [] });
  for (let read = 0; read < 3; read++) {
    expect(store.getMany(['key'])).toEqual([expect.objectContaining({ value, parsed: undefined })]);
  }
});

test('an entry larger than the whole store is not stored and evicts nothing', () => {
  const { store, write } = open(10_000);
  write({ key: 'small' });
  write({ key: 'large', value: 'x'.repeat(10_000) });
  expect(store.getMany(['small', 'large'])).toEqual([expect.anything(), undefined]);
  expect(store.tagCount).toBe(2);
});

test('neither an expired entry nor one larger than the whole store leaves anything behind', () => {
  const { clock, store } = open(10_000);
  const expired = createCacheWrite(clock, { key: 'expired', tags: ['tag'] });
  clock.time += 86_400_000;
  store.setMany([expired], store.beginRead());
  store.setMany([createCacheWrite(clock, { value: 'x'.repeat(10_000), tags: ['tag'] })], store.beginRead());
  expect([store.entryCount, store.tagCount, store.size]).toEqual([0, 0, 0]);
});

test('the memory store remembers the last invalidations only, and rejects writes of reads before the forgotten ones', async () => {
  const { clock, store } = open(10_000);
  const since = store.beginRead();
  await store.deleteByTags(Array.from({ length: 10_000 }, (_, index) => `${index}`));
  store.setMany([createCacheWrite(clock, { key: 'earlier', tags: ['other'] })], since);
  await store.deleteByTags(['one more']);
  store.setMany([createCacheWrite(clock, { key: 'later', tags: ['other'] })], since);
  expect(store.getMany(['earlier', 'later'])).toEqual([expect.anything(), undefined]);
});

test('a tag is removed with the last entry that has it', async () => {
  const { clock, store, write } = open(100_000);
  write({ key: '1', tags: ['deleted'] });
  write({ key: '2', tags: ['over'] });
  write({ key: '3', tags: ['replaced'] });
  write({ key: '3', tags: ['kept'] });
  await store.deleteByTags(['deleted']);
  expect(store.tagCount).toBe(2);
  clock.time += 3_000;
  store.getMany(['2', '3']);
  expect([store.tagCount, store.entryCount, store.size]).toEqual([0, 0, 0]);
});

test('the number of deleted entries does not include expired ones', async () => {
  const { clock, store, write } = open(100_000);
  write({ key: 'expired', tags: ['tag'] });
  clock.time += 3_000;
  write({ key: 'usable', tags: ['tag'] });
  expect(await store.deleteByTags(['tag'])).toEqual({ deleted: 1, isPending: false });
  expect(store.entryCount).toBe(0);
});

test('clear rejects writes of reads that began before', () => {
  const { clock, store, write } = open(10_000);
  const before = store.beginRead();
  write({ key: '1' });
  store.clear();
  store.setMany([createCacheWrite(clock, { key: '2' })], before);
  expect(store.getMany(['1', '2'])).toStrictEqual([undefined, undefined]);
});

test('an entry that was stored more than 5 s in the future, before the clock was set back, is neither served nor kept', async () => {
  const { clock, store, write } = open(10_000);
  write({ value: '"before"', tags: ['tag'] });
  clock.time -= 5_000;
  expect(store.getMany(['key'])).toEqual([expect.objectContaining({ value: '"before"' })]);
  clock.time -= 1;
  expect(await store.keysWithTag('tag', 10)).toEqual([]);
  expect(store.getMany(['key'])).toStrictEqual([undefined]);
  expect(store.entryCount).toBe(0);
});

test('an entry that was stored before the clock was set back is replaced by the next one', () => {
  const { clock, store, write } = open(10_000);
  write({ value: '"before"' });
  clock.time -= 3_600_000;
  write({ value: '"after"' });
  expect(store.getMany(['key'])).toEqual([expect.objectContaining({ value: '"after"' })]);
});
