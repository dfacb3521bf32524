import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CacheEntry, CacheStore, CacheWrite } from '../../gateway/cache/store/cacheStore.ts';

interface StoreFixture extends AsyncDisposable {
  readonly store: CacheStore;
  /** Resolves when all writes have been stored or rejected. */
  waitForWrites(): Promise<void>;
}

// Longer than any test takes, so that no wait ends by it.
const longTtlMs = 600_000;

/** A clock that tests move. Milliseconds since 1970. */
export class TestClock {
  time = 1_900_000_000_000;
  readonly now = (): number => this.time;
}

interface WriteOptions extends Partial<CacheEntry> {
  readonly key?: string;
}

/** Creates an entry that is fresh for one second, and may be served stale for two more. */
export function createCacheWrite(clock: TestClock, options: WriteOptions = {}): CacheWrite {
  const storedAt = options.storedAt ?? clock.time;
  return {
    key: 'key',
    value: '{"name":"Table"}',
    freshUntil: storedAt + 1_000,
    staleWhileRevalidateUntil: storedAt + 3_000,
    staleIfErrorUntil: storedAt + 2_000,
    tags: ['type:Product', 'subgraph:products'],
    ...options,
    storedAt,
  };
}

export interface StoreOpeners {
  /** Opens an empty store with this clock. */
  open(clock: TestClock): Promise<StoreFixture>;
  /** Opens the stores of two processes that share their entries; absent for a store of a single process. */
  openTwo?(clock: TestClock): Promise<readonly [StoreFixture, StoreFixture]>;
}

/** Defines the tests that every store must pass. */
export function describeStore(name: string, { open, openTwo }: StoreOpeners): void {
  if (openTwo !== undefined) describeClaims(name, openTwo);
  describe(`A cache store in ${name}`, () => {
    let clock: TestClock;
    let fixture: StoreFixture;
    let store: CacheStore;

    beforeEach(async () => {
      clock = new TestClock();
      fixture = await open(clock);
      store = fixture.store;
    });
    afterEach(async () => {
      await fixture[Symbol.asyncDispose]();
    });

    const entry = (options: WriteOptions = {}) => createCacheWrite(clock, options);

    async function write(...entries: CacheWrite[]): Promise<void> {
      store.setMany(entries, store.beginRead());
      await fixture.waitForWrites();
    }

    async function valuesOf(...keys: string[]) {
      return (await store.getMany(keys)).map((found) => found?.value);
    }

    test('returns complete entries in the order of the keys', async () => {
      const [first, second] = [entry({ key: '1', value: '1' }), entry({ key: '2', value: '[2]', tags: [] })];
      await write(first, second);
      const expected = [second, undefined, first, first].map((found) => {
        if (found === undefined) return undefined;
        const { key: _, ...stored } = found;
        return expect.objectContaining(stored);
      });
      expect(await store.getMany(['2', 'unknown', '1', '1'])).toEqual(expected);
      expect(await store.getMany([])).toEqual([]);
    });

    test('preserves every value exactly', async () => {
      const values = ['""', '"é – 漢字 😀 \\u0000"', 'x'.repeat(300_000), '"\u2028"', 'null'];
      await write(...values.map((value, index) => entry({ key: `${index}`, value })));
      expect(await valuesOf(...values.keys().map(String))).toEqual(values);
    });

    test('accepts arbitrary keys and tags', async () => {
      const names = ['__proto__', 'constructor', '', '{1}', '}{', 'a b\r\n', 'floor', 'ключ', '*', '\\', '"'];
      await write(...names.map((name) => entry({ key: name, value: JSON.stringify(name), tags: [name] })));
      expect(await valuesOf(...names)).toEqual(names.map((name) => JSON.stringify(name)));
      for (const [index, name] of names.entries()) {
        expect(await store.deleteByTags([name])).toEqual({ deleted: 1, isPending: false });
        const left = names.map((other, place) => (place > index ? JSON.stringify(other) : undefined));
        expect(await valuesOf(...names)).toEqual(left);
      }
    });

    test('reads hundreds of keys in one call', async () => {
      const keys = Array.from({ length: 300 }, (_, index) => `product:${index}`);
      await write(
        ...keys.filter((_, index) => index % 3 > 0).map((key) => entry({ key, value: `"${key}"` })),
      );
      expect(await valuesOf(...keys)).toEqual(
        keys.map((key, index) => (index % 3 > 0 ? `"${key}"` : undefined)),
      );
    });

    test('returns an entry until its last expiry time', async () => {
      const short = { staleWhileRevalidateUntil: 0, staleIfErrorUntil: 0 };
      await write(entry({ key: 'fresh only', ...short }), entry({ key: 'stale' }));
      clock.time += 999;
      expect(await valuesOf('fresh only', 'stale')).toEqual(['{"name":"Table"}', '{"name":"Table"}']);
      clock.time += 1;
      expect(await valuesOf('fresh only', 'stale')).toEqual([undefined, '{"name":"Table"}']);
      clock.time += 1_999;
      expect(await valuesOf('stale')).toEqual(['{"name":"Table"}']);
      clock.time += 1;
      expect(await valuesOf('stale')).toEqual([undefined]);
    });

    test('does not store an expired entry', async () => {
      await write(entry({ storedAt: clock.time - 3_000 }));
      expect(await store.getMany(['key'])).toEqual([undefined]);
    });

    test('replaces an earlier answer by a later one, and never the reverse', async () => {
      await write(entry({ value: '1', storedAt: clock.time }));
      await write(entry({ value: '2', storedAt: clock.time + 10 }));
      expect(await valuesOf('key')).toEqual(['2']);
      await write(entry({ value: 'late', storedAt: clock.time + 5 }));
      expect(await valuesOf('key')).toEqual(['2']);
    });

    test('replaces an entry by a later one of the same time, unless the read of that began earlier', async () => {
      await write(entry({ value: '1' }));
      await write(entry({ value: '2' }));
      expect(await valuesOf('key')).toEqual(['2']);
      const since = store.beginRead();
      await store.deleteByTags(['other']);
      await write(entry({ value: '3' }));
      store.setMany([entry({ value: 'late' })], since);
      await fixture.waitForWrites();
      expect(await valuesOf('key')).toEqual(['3']);
    });

    test('deletes entries with any of the tags and returns their number', async () => {
      await write(
        entry({ key: '1', value: '1', tags: ['a', 'b'] }),
        entry({ key: '2', value: '2', tags: ['b'] }),
        entry({ key: '3', value: '3', tags: ['c'] }),
        entry({ key: '4', value: '4', tags: [] }),
      );
      expect(await store.deleteByTags(['a', 'b', 'unknown'])).toEqual({ deleted: 2, isPending: false });
      expect(await valuesOf('1', '2', '3', '4')).toEqual([undefined, undefined, '3', '4']);
      expect(await store.deleteByTags(['a', 'b'])).toEqual({ deleted: 0, isPending: false });
      expect(await store.deleteByTags([])).toEqual({ deleted: 0, isPending: false });
    });

    test('deletes thousands of entries by one tag', async () => {
      const keys = Array.from({ length: 2_500 }, (_, index) => `${index}`);
      await write(...keys.map((key) => entry({ key, tags: ['all'] })));
      expect(await store.deleteByTags(['all'])).toEqual({ deleted: 2_500, isPending: false });
      expect((await store.getMany(keys)).every((found) => found === undefined)).toBe(true);
    });

    test('rejects a write whose read began before an invalidation of one of its tags', async () => {
      const before = store.beginRead();
      await store.deleteByTags(['price']);
      const after = store.beginRead();
      store.setMany([entry({ key: 'late', tags: ['type', 'price'] })], before);
      store.setMany([entry({ key: 'other', value: '1', tags: ['type'] })], before);
      store.setMany([entry({ key: 'new', value: '2', tags: ['type', 'price'] })], after);
      await fixture.waitForWrites();
      expect(await valuesOf('late', 'other', 'new')).toEqual([undefined, '1', '2']);
    });

    test('rejects a write whose read began before many invalidations', async () => {
      const before = store.beginRead();
      await store.deleteByTags(['price']);
      await store.deleteByTags(Array.from({ length: 10_001 }, (_, index) => `tag ${index}`));
      const after = store.beginRead();
      store.setMany([entry({ key: 'late', tags: ['price'] })], before);
      store.setMany([entry({ key: 'new', value: '2', tags: ['price'] })], after);
      await fixture.waitForWrites();
      expect(await valuesOf('late', 'new')).toEqual([undefined, '2']);
    });

    test('does not replace an entry by one whose read began before an invalidation', async () => {
      const before = store.beginRead();
      await store.deleteByTags(['unrelated']);
      store.setMany([entry({ value: 'new' })], store.beginRead());
      store.setMany([entry({ value: 'old' })], before);
      await fixture.waitForWrites();
      expect(await valuesOf('key')).toEqual(['new']);
    });

    test('describes an entry, and lists keys by tag', async () => {
      const { key, ...stored } = entry();
      await write({ key, ...stored });
      expect(await store.describe(key)).toMatchObject({
        entry: stored,
        from: expect.stringMatching(/^(memory|redis)$/),
      });
      expect((await store.describe(key))?.bytes).toBeGreaterThan(stored.value.length);
      expect(await store.describe('unknown')).toBeUndefined();
      await write(entry({ key: '2' }));
      expect((await store.keysWithTag('type:Product', 10)).sort()).toEqual(['2', 'key']);
      expect(await store.keysWithTag('type:Product', 1)).toHaveLength(1);
      expect(await store.keysWithTag('unknown', 10)).toEqual([]);
    });

    test('lists keys of usable entries only, however many others have had the tag', async () => {
      const numbered = (name: string, options: WriteOptions) =>
        Array.from({ length: 25 }, (_, index) => entry({ key: `${name} ${index}`, ...options }));
      const longer = { staleIfErrorUntil: clock.time + 60_000 };
      await write(
        ...numbered('expired', { tags: ['tag'] }),
        ...numbered('deleted', { tags: ['tag', 'deleted'], ...longer }),
        ...numbered('retagged', { tags: ['tag'], ...longer }),
      );
      await store.deleteByTags(['deleted']);
      clock.time += 10_000;
      await write(...numbered('retagged', { tags: ['other'], ...longer }), entry({ tags: ['tag'] }));
      expect(await store.keysWithTag('tag', 1)).toEqual(['key']);
      expect(await store.keysWithTag('tag', 2)).toEqual(['key']);
    });

    if (openTwo === undefined) {
      test('grants every claim at once and never waits, because there is only one process', async () => {
        expect(store.claim(['key'], longTtlMs)).toEqual([true]);
        expect(store.claim(['key', 'other'], longTtlMs)).toEqual([true, true]);
        expect(await store.awaitClaimHolder('key', longTtlMs, new AbortController().signal)).toBeUndefined();
      });
    }

    test('grants unclaimed keys in the order of the keys', async () => {
      expect(await store.claim([], longTtlMs)).toEqual([]);
      expect(await store.claim(['1', '2', '1'], longTtlMs)).toEqual([true, true, true]);
      store.release(['1', '2'], 0);
      expect(await store.claim(['2', '1'], longTtlMs)).toEqual([true, true]);
    });

    test('does not wait for an unclaimed key, or with an aborted signal', async () => {
      const { signal } = new AbortController();
      expect(await store.awaitClaimHolder('key', longTtlMs, signal)).toBeUndefined();
      await store.claim(['key'], longTtlMs);
      expect(await store.awaitClaimHolder('key', longTtlMs, AbortSignal.abort())).toBeUndefined();
    });

    test('never returns an entry that is older than an invalidation, in any order of events', async () => {
      // The data of a tag is a number. Each mutation increments it and invalidates the tag. A read gets the number at its
      // beginning.
      const tags = ['a', 'b'] as const;
      const step = fc.oneof(
        fc.record({ kind: fc.constant('begin' as const), tag: fc.constantFrom(...tags) }),
        fc.record({ kind: fc.constant('end' as const), which: fc.nat(5) }),
        fc.record({ kind: fc.constant('mutate' as const), tag: fc.constantFrom(...tags) }),
        fc.record({ kind: fc.constant('read' as const) }),
      );
      let round = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
          round += 1;
          const data = { a: 0, b: 0 };
          const fixture: {
            key: string;
            tag: 'a' | 'b';
            value: number;
            since: ReturnType<CacheStore['beginRead']>;
          }[] = [];
          for (const now of steps) {
            clock.time += 1;
            if (now.kind === 'begin') {
              const { tag } = now;
              fixture.push({ key: `${round} ${tag}`, tag, value: data[tag], since: store.beginRead() });
            } else if (now.kind === 'end') {
              const [ended] = fixture.splice(now.which, 1);
              if (ended === undefined) continue;
              const { key, tag, value, since } = ended;
              store.setMany([entry({ key, value: `${value}`, tags: [tag] })], since);
            } else if (now.kind === 'mutate') {
              data[now.tag] += 1;
              await store.deleteByTags([now.tag]);
            } else {
              const found = await valuesOf(`${round} a`, `${round} b`);
              for (const [index, tag] of tags.entries()) {
                expect([undefined, `${data[tag]}`]).toContain(found[index]);
              }
            }
          }
        }),
        { numRuns: 40 },
      );
    });
  });
}

/** Defines the tests of claims for stores that several processes share. */
function describeClaims(name: string, openTwo: NonNullable<StoreOpeners['openTwo']>): void {
  describe(`Claims of two processes in ${name}`, () => {
    let clock: TestClock;
    let both: readonly [StoreFixture, StoreFixture];
    let here: CacheStore;
    let there: CacheStore;
    const { signal } = new AbortController();

    beforeEach(async () => {
      clock = new TestClock();
      both = await openTwo(clock);
      [here, there] = [both[0].store, both[1].store];
    });
    afterEach(async () => {
      for (const fixture of both) await fixture[Symbol.asyncDispose]();
    });

    test('are granted to only one of them', async () => {
      expect(await here.claim(['1', '2'], longTtlMs)).toEqual([true, true]);
      expect(await there.claim(['3', '2', '4', '1'], longTtlMs)).toEqual([true, false, true, false]);
      // A process that claims a key again could not release it, such as without a connection.
      expect(await here.claim(['1', '4', '5'], longTtlMs)).toEqual([true, false, true]);
    });

    test('are granted to only one of them if both claim at the same time', async () => {
      const keys = Array.from({ length: 200 }, (_, index) => `${index}`);
      const [one, other] = await Promise.all([here.claim(keys, longTtlMs), there.claim(keys, longTtlMs)]);
      expect(one.map((isOurs, place) => isOurs !== other[place])).toEqual(keys.map(() => true));
    });

    test('are separate for arbitrary keys', async () => {
      const keys = ['__proto__', 'constructor', '', '{1}', '}{', 'a b\r\n', 'ключ', '*', 'state', 'entry:'];
      for (const key of keys) {
        expect([key, await here.claim([key], longTtlMs)]).toEqual([key, [true]]);
        expect([key, await there.claim([key], longTtlMs)]).toEqual([key, [false]]);
      }
    });

    test('can be acquired by the other process after a release', async () => {
      await here.claim(['1', '2'], longTtlMs);
      here.release(['1', 'unknown'], 0);
      expect(await there.awaitClaimHolder('1', longTtlMs, signal)).toBeUndefined();
      expect(await there.claim(['1', '2'], longTtlMs)).toEqual([true, false]);
    });

    test('cannot be released by the other process', async () => {
      await here.claim(['key'], longTtlMs);
      there.release(['key'], 0);
      expect(await there.claim(['key'], longTtlMs)).toEqual([false]);
    });

    test('expire at the time of a delayed release', async () => {
      await here.claim(['key'], longTtlMs);
      here.release(['key'], 20);
      let isGranted = false;
      while (!isGranted) isGranted = (await there.claim(['key'], longTtlMs))[0] === true;
      expect(await here.claim(['key'], longTtlMs)).toEqual([false]);
    });

    test('expire if their process does not release them', async () => {
      await here.claim(['key'], 20);
      expect(await there.awaitClaimHolder('key', longTtlMs, signal)).toBeUndefined();
      expect(await there.claim(['key'], longTtlMs)).toEqual([true]);
    });

    test('resolve a wait with the complete entry that the holder stores', async () => {
      await here.claim(['key'], longTtlMs);
      expect(await there.claim(['key'], longTtlMs)).toEqual([false]);
      const found = there.awaitClaimHolder('key', longTtlMs, signal);
      const { key, ...stored } = createCacheWrite(clock, { value: '"new"' });
      here.setMany([{ key, ...stored }], here.beginRead());
      expect(await found).toMatchObject(stored);
    });

    test('resolve a wait with the entry after the holder released the claim', async () => {
      await here.claim(['key'], longTtlMs);
      here.setMany([createCacheWrite(clock)], here.beginRead());
      here.release(['key'], 0);
      await both[0].waitForWrites();
      expect(await there.awaitClaimHolder('key', longTtlMs, signal)).toMatchObject({
        value: '{"name":"Table"}',
      });
    });

    test('resolve a wait without an entry if the holder releases the claim without storing one', async () => {
      await here.claim(['key'], longTtlMs);
      const found = there.awaitClaimHolder('key', longTtlMs, signal);
      here.release(['key'], 0);
      expect(await found).toBeUndefined();
    });

    test('resolve a wait with a newer entry, not with the stale one at its beginning', async () => {
      here.setMany([createCacheWrite(clock, { value: '"old"' })], here.beginRead());
      await both[0].waitForWrites();
      clock.time += 1_500;
      await here.claim(['key'], longTtlMs);
      const given = there.awaitClaimHolder('key', longTtlMs, signal);
      here.setMany([createCacheWrite(clock, { value: '"new"' })], here.beginRead());
      expect(await given).toMatchObject({ value: '"new"' });

      clock.time += 1_500;
      const nothing = there.awaitClaimHolder('key', longTtlMs, signal);
      here.release(['key'], 0);
      expect(await nothing).toBeUndefined();
    });

    test('do not resolve a wait with an entry that was invalidated since its read', async () => {
      const since = here.beginRead();
      await here.claim(['key'], longTtlMs);
      const found = there.awaitClaimHolder('key', longTtlMs, signal);
      await there.deleteByTags(['type:Product']);
      here.setMany([createCacheWrite(clock)], since);
      await both[0].waitForWrites();
      here.release(['key'], 0);
      expect(await found).toBeUndefined();
    });

    test('end a wait at its timeout, and when its signal is aborted', async () => {
      await here.claim(['key'], longTtlMs);
      expect(await there.awaitClaimHolder('key', 10, signal)).toBeUndefined();
      const client = new AbortController();
      const found = there.awaitClaimHolder('key', longTtlMs, client.signal);
      client.abort();
      expect(await found).toBeUndefined();
      expect(await there.claim(['key'], longTtlMs)).toEqual([false]);
    });
  });
}
