import { describe, expect, test } from '@jest/globals';
import { createPlanCache, type PlanCache } from '../../../gateway/planning/planCache.ts';

interface Value {
  readonly name: string;
}

const key = (operation: string, snapshot = 1, overrides: readonly string[] = []) => ({
  snapshot,
  operation,
  overrides,
});

/** The stored value. */
function get(cache: PlanCache<Value>, of: ReturnType<typeof key>): Promise<Value | undefined> {
  return cache.getOrLoad(of, () => Promise.reject(new Error('not stored'))).catch(() => undefined);
}

function deferred<T>() {
  return Promise.withResolvers<T>();
}

describe('the plan cache', () => {
  test('loads a value once for each key and returns it from then on', async () => {
    const cache = createPlanCache<Value>({ maxEntries: 10 });
    const value = { name: 'first' };
    expect(await get(cache, key('{ a }'))).toBeUndefined();
    expect(await cache.getOrLoad(key('{ a }'), async () => value)).toBe(value);
    expect(await get(cache, key('{ a }'))).toBe(value);
  });

  test('stores values of different supergraphs separately', async () => {
    const cache = createPlanCache<Value>({ maxEntries: 10 });
    await cache.getOrLoad(key('{ a }', 1), async () => ({ name: 'old' }));
    await cache.getOrLoad(key('{ a }', 2), async () => ({ name: 'new' }));
    expect(await get(cache, key('{ a }', 1))).toEqual({ name: 'old' });
    expect(await get(cache, key('{ a }', 2))).toEqual({ name: 'new' });
  });

  test('stores values of one operation with different override labels separately', async () => {
    const cache = createPlanCache<Value>({ maxEntries: 10 });
    const [off, on] = [key('{ a }'), key('{ a }', 1, ['beta'])];
    await cache.getOrLoad(off, async () => ({ name: 'off' }));
    await cache.getOrLoad(on, async () => ({ name: 'on' }));
    expect([await get(cache, off), await get(cache, on)]).toEqual([{ name: 'off' }, { name: 'on' }]);
    expect(cache.mostUsed(1, 2)).toMatchObject([
      { key: on, value: { name: 'on' } },
      { key: off, value: { name: 'off' } },
    ]);
  });

  test('shares one load among concurrent requests for one key', async () => {
    const cache = createPlanCache<Value>({ maxEntries: 10 });
    const answer = deferred<Value>();
    let loads = 0;
    const load = () => {
      loads += 1;
      return answer.promise;
    };
    const both = Promise.all([cache.getOrLoad(key('{ a }'), load), cache.getOrLoad(key('{ a }'), load)]);
    answer.resolve({ name: 'one' });
    const [first, second] = await both;
    expect(first).toBe(second);
    expect(loads).toBe(1);
  });

  test('rejects all waiters of a failed load, and loads again for the next request', async () => {
    const cache = createPlanCache<Value>({ maxEntries: 10 });
    const answer = deferred<Value>();
    const waiting = Promise.allSettled([
      cache.getOrLoad(key('{ a }'), () => answer.promise),
      cache.getOrLoad(key('{ a }'), () => answer.promise),
    ]);
    answer.reject(new Error('too complex'));
    const failed = { status: 'rejected', reason: new Error('too complex') };
    expect(await waiting).toEqual([failed, failed]);
    expect(await cache.getOrLoad(key('{ a }'), async () => ({ name: 'again' }))).toEqual({ name: 'again' });
  });

  test('evicts the least recently used value when it is full', async () => {
    const cache = createPlanCache<Value>({ maxEntries: 2 });
    await cache.getOrLoad(key('{ a }'), async () => ({ name: 'a' }));
    await cache.getOrLoad(key('{ b }'), async () => ({ name: 'b' }));
    await get(cache, key('{ a }'));
    await cache.getOrLoad(key('{ c }'), async () => ({ name: 'c' }));
    const stored = await Promise.all(
      ['{ a }', '{ b }', '{ c }'].map((operation) => get(cache, key(operation))),
    );
    expect(stored).toEqual([{ name: 'a' }, undefined, { name: 'c' }]);
    expect(cache.size).toBe(2);
  });

  test('lists the most used operations of one supergraph in descending order', async () => {
    const cache = createPlanCache<Value>({ maxEntries: 10 });
    for (const operation of ['{ a }', '{ b }', '{ c }']) {
      await cache.getOrLoad(key(operation), async () => ({ name: operation }));
    }
    await cache.getOrLoad(key('{ other }', 2), async () => ({ name: 'other' }));
    for (const operation of ['{ c }', '{ c }', '{ b }']) await get(cache, key(operation));
    expect(cache.mostUsed(1, 2).map((used) => used.key)).toEqual([key('{ c }'), key('{ b }')]);
  });

  test('counts reported uses of a value, which also protect the value from eviction', async () => {
    const cache = createPlanCache<Value>({ maxEntries: 2 });
    const value = await cache.getOrLoad(key('{ a }'), async () => ({ name: 'a' }));
    await cache.getOrLoad(key('{ b }'), async () => ({ name: 'b' }));
    cache.recordUses(key('{ a }'), value, 16);
    await cache.getOrLoad(key('{ c }'), async () => ({ name: 'c' }));
    expect(cache.mostUsed(1, 2)).toMatchObject([
      { key: key('{ a }'), uses: 17 },
      { key: key('{ c }'), uses: 1 },
    ]);
    for (const operation of ['{ d }', '{ e }']) {
      await cache.getOrLoad(key(operation), async () => ({ name: operation }));
    }
    cache.recordUses(key('{ a }'), value, 16);
    expect(cache.mostUsed(1, 1)).toMatchObject([{ key: key('{ a }'), value, uses: 16 }]);
  });

  test('evicts all values of a supergraph and does not store the results of its running loads', async () => {
    const cache = createPlanCache<Value>({ maxEntries: 10 });
    const pending = deferred<Value>();
    await cache.getOrLoad(key('{ a }', 1), async () => ({ name: 'a' }));
    await cache.getOrLoad(key('{ a }', 2), async () => ({ name: 'b' }));
    const loading = cache.getOrLoad(key('{ late }', 1), () => pending.promise);
    cache.evict(1);
    pending.resolve({ name: 'late' });
    expect(await loading).toEqual({ name: 'late' });
    expect(await get(cache, key('{ a }', 1))).toBeUndefined();
    expect(await get(cache, key('{ late }', 1))).toBeUndefined();
    expect(await get(cache, key('{ a }', 2))).toEqual({ name: 'b' });
  });
});
