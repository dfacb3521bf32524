import { hash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { PersistedQueryStore } from '../../../gateway/admission/documents/persistedQueryStore.ts';
import { createSharedPersistedQueries } from '../../../gateway/admission/documents/sharedPersistedQueries.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import type { GatewayOptions } from '../../../gateway/config/schema.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { startDedicatedRedis } from '../../harness/redis.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const text = '{ greeting }';
const sha256 = hash('sha256', text);
const key = `apq:${sha256}`;

function configOf(url: string, more: Partial<GatewayOptions> = {}) {
  return parseConfig({
    supergraph: { file: 'supergraph.graphql' },
    redis: { url, keyPrefix: 'test:', timeouts: { read: '20ms', socket: '10m' } },
    http: { persistedQueries: { ttl: '1h' } },
    ...more,
  });
}

/** The store of one process. Its timeouts pass only by `timers`. */
function createStore(
  url: string,
  checkText: (text: string) => void = () => {},
  more: Partial<GatewayOptions> = {},
) {
  const timers = new FakeTimers();
  const warnings: unknown[] = [];
  let calls = 0;
  const shared = createSharedPersistedQueries({
    config: configOf(url, more),
    timers,
    log: { warn: ({ message }) => void warnings.push(message) },
    // No two problems are within one minute.
    now: () => calls++ * 60_000,
  });
  if (shared === undefined) throw new Error('Nothing is shared.');
  const store = new PersistedQueryStore({ textCacheSize: 1_000, shared, checkText });
  return { store, shared, warnings, timers };
}

/** Repeats a read until it finds something: writes are not waited for. */
async function until<Found>(read: () => Promise<Found | undefined | null>): Promise<Found> {
  for (;;) {
    const found = await read();
    if (found !== undefined && found !== null) return found;
    await waitForTurns();
  }
}

describe('automatic persisted queries with Redis', () => {
  test('are found by every process, and expire when no process reads them', async () => {
    await using redis = await startDedicatedRedis();
    const processes = [createStore(redis.url), createStore(redis.url), createStore(redis.url)] as const;
    const [first, second, third] = processes;
    const client = new Redis(redis.url);
    try {
      // The process may not be connected yet: then the client registers again.
      await until(async () => {
        await first.store.set(key, text);
        return client.get(`test:apq:${sha256}`);
      });
      expect(await client.pttl(`test:apq:${sha256}`)).toBeGreaterThan(3_500_000);
      expect(await until(() => second.store.get(key))).toBe(text);
      // The text is in that process now.
      await client.del(`test:apq:${sha256}`);
      expect([await second.store.get(key), await first.store.get(key)]).toEqual([text, text]);

      await client.set(`test:apq:${sha256}`, text, 'PX', 60_000);
      expect(await until(() => third.store.get(key))).toBe(text);
      expect(
        await until(async () => ((await client.pttl(`test:apq:${sha256}`)) > 60_000 ? true : undefined)),
      ).toBe(true);
    } finally {
      for (const { shared } of processes) await shared.close();
      client.disconnect();
    }
  });

  test('are not taken from Redis when the text has another hash, or is beyond the limits', async () => {
    await using redis = await startDedicatedRedis();
    const checked: string[] = [];
    const { store, shared } = createStore(redis.url, (candidate) => {
      checked.push(candidate);
      if (candidate.includes('deep')) throw new Error('Too deep.');
    });
    const client = new Redis(redis.url);
    const deep = '{ deep }';
    try {
      await client.set(`test:apq:${sha256}`, '{ secret }');
      await client.set(`test:apq:${hash('sha256', deep)}`, deep);
      await client.set(`test:apq:${hash('sha256', 'ok')}`, 'ok');
      await client.set('test:apq:../state', 'other data');
      expect(await until(() => store.get(`apq:${hash('sha256', 'ok')}`))).toBe('ok');
      expect([
        await store.get(key),
        await store.get(`apq:${hash('sha256', deep)}`),
        await store.get('apq:../state'),
      ]).toStrictEqual([undefined, undefined, undefined]);
      expect(checked).toEqual(['ok', deep]);
    } finally {
      await shared.close();
      client.disconnect();
    }
  });

  test('fill Redis with no more new texts in their time to live than a process has room for', async () => {
    await using redis = await startDedicatedRedis();
    const { store, shared, timers } = createStore(redis.url, undefined, {
      planning: { textCacheSize: '1KB' },
    });
    const client = new Redis(redis.url);
    const register = async (name: string) => {
      const query = `{ ${name.padEnd(600, name)} }`;
      await store.set(`apq:${hash('sha256', query)}`, query);
      return `test:apq:${hash('sha256', query)}`;
    };
    try {
      await until(async () => {
        const stored = await register('a');
        return (await client.exists(stored)) === 1 ? true : undefined;
      });
      // The second time, the process knows the text.
      const refused = [await register('b'), await register('b')];
      // Commands of one connection are executed in their order.
      await shared.get(hash('sha256', 'anything'));
      expect(await client.exists(...refused)).toBe(0);

      timers.after(3_600_000, () => undefined);
      timers.fire(3_600_000);
      const later = await register('c');
      await shared.get(hash('sha256', 'anything'));
      expect(await client.exists(later)).toBe(1);
    } finally {
      await shared.close();
      client.disconnect();
    }
  });

  test('are not found while Redis hangs, with one warning, and work in the process', async () => {
    await using redis = await startDedicatedRedis();
    const { store, shared, warnings, timers } = createStore(redis.url);
    try {
      await until(() => {
        shared.set(hash('sha256', 'connected'), 'connected', true);
        return shared.get(hash('sha256', 'connected'));
      });
      while (timers.pendingMs().length > 0) await waitForTurns();
      warnings.length = 0;
      redis.pause();
      for (let reads = 0; reads < 3; reads++) {
        const reading = store.get(key);
        while (!timers.pendingMs().includes(20)) await waitForTurns();
        // The command is sent by then.
        await waitForTurns();
        timers.fire(20);
        expect(await reading).toBeUndefined();
      }
      // The circuit is open: nothing waits any more.
      expect(await store.get(key)).toBeUndefined();
      await store.set(key, text);
      expect(await store.get(key)).toBe(text);
      expect(warnings).toEqual(['Redis did not answer in time (redis.timeouts.read).']);
      redis.resume();
    } finally {
      await shared.close();
    }
  });
});

test('nothing is shared without Redis, when clients register nothing, and when persisted queries are off', () => {
  const url = 'redis://localhost:1';
  const manifest = 'documents.json';
  for (const config of [
    configOf(''),
    configOf(url, { http: { persistedQueries: { enabled: false } } }),
    configOf(url, { security: { trustedDocuments: { mode: 'require', manifest } } }),
  ]) {
    const context = { config, timers: new FakeTimers(), log: { warn: () => {} }, now: () => 0 };
    expect(createSharedPersistedQueries(context)).toBeUndefined();
  }
});

test.each(['', '__proto__', sha256.toUpperCase(), `${sha256}0`])(
  'Redis gets no read for %j, which is no hash',
  async (name) => {
    const asked: string[] = [];
    const shared = {
      get: async (hash: string) => void asked.push(hash),
      set: () => undefined,
    };
    const store = new PersistedQueryStore({ textCacheSize: 1_000, shared, checkText: () => undefined });
    expect(await store.get(`apq:${name}`)).toBeUndefined();
    expect(asked).toEqual([]);
    await store.get(key);
    expect(asked).toEqual([sha256]);
  },
);
