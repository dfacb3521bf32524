import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { EventInvalidations } from '../../gateway/cache/invalidation/eventInvalidations.ts';
import { EventPosition } from '../../gateway/cache/invalidation/eventPosition.ts';
import type { ParsedInvalidationRequest } from '../../gateway/cache/invalidation/invalidationRequest.ts';
import type { InvalidationResult } from '../../gateway/cache/store/cacheStore.ts';
import { systemTimers } from '../../gateway/time/timers.ts';
import { expectExit } from '../harness/expectExit.ts';
import { Gate } from '../harness/gate.ts';
import { connectRedis, downloadTimeoutMs, startDedicatedRedis, startRedisCluster } from '../harness/redis.ts';
import {
  createRedisStoreFixture,
  EventCounter,
  longRedisTimeouts,
  openTieredStore,
  parseRedisConfig,
} from '../harness/redisStoreFixture.ts';
import { createCacheWrite, TestClock } from '../harness/storeConformance.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';

const { server, redis } = await startSuiteRedis();

const done: InvalidationResult = { deleted: 0, isPending: false };

/** Parses an event. An event without tags is invalid. */
async function readTags(body: unknown): Promise<ParsedInvalidationRequest> {
  const { tags } = body as { readonly tags?: readonly string[] };
  if (tags === undefined) return { kind: 'invalid', reasons: ['tags: expected a list'] };
  return { kind: 'tags', tags };
}

interface Place {
  readonly stream: string;
  readonly keyPrefix: string;
}

const place = (): Place => ({ stream: randomUUID(), keyPrefix: `${randomUUID()}:` });

interface OpenOptions {
  readonly config?: ReturnType<typeof parseRedisConfig>;
  parse?(body: unknown): ParsedInvalidationRequest | Promise<ParsedInvalidationRequest>;
  invalidate?(tags: readonly string[]): Promise<InvalidationResult>;
}

/** Reads events and records the invalidations. */
function open({ stream, keyPrefix }: Place, options: OpenOptions = {}) {
  const config =
    options.config ?? parseRedisConfig({ url: server.url, keyPrefix, timeouts: longRedisTimeouts });
  const parts = createRedisStoreFixture(config, clock.now);
  const happened = new EventCounter();
  const invalidated: string[][] = [];
  let gaps = 0;
  const events = new EventInvalidations({
    config,
    stream,
    problems: parts.problems,
    timers: systemTimers,
    parse: options.parse ?? readTags,
    invalidate: async (tags) => {
      invalidated.push([...tags]);
      happened.increment();
      return (await options.invalidate?.(tags)) ?? done;
    },
    tagsOfEverything: async () => {
      gaps += 1;
      return ['everything'];
    },
  });
  return {
    ...parts,
    events,
    invalidated,
    gaps: () => gaps,
    async until(isTrue: () => boolean): Promise<void> {
      while (!isTrue()) await Promise.race([happened.waitForNext(), parts.problemEvents.waitForNext()]);
    },
    [Symbol.asyncDispose]: async () => events.close(),
  };
}

const clock = new TestClock();

const event = (...tags: string[]): string => JSON.stringify({ tags });

async function add(stream: string, ...events: string[]): Promise<string> {
  let id = '';
  for (const text of events) id = String(await redis.xadd(stream, '*', 'invalidate', text));
  return id;
}

/** Resolves when the saved position is the id of this event. */
async function saved({ stream, keyPrefix }: Place, id?: string): Promise<string> {
  for (;;) {
    const there = await redis.get(`${keyPrefix}events:${stream}`);
    if (there !== null && (id === undefined || there === id)) return there;
  }
}

/** Resolves when this number of connections waits for an entry. */
async function blockedReaders(count: number): Promise<void> {
  while (!(await redis.info('clients')).includes(`blocked_clients:${count}\r`));
}

test('events after the first start invalidate in order', async () => {
  const here = place();
  // An id of long ago: a reader without an id may read the entries of the last milliseconds.
  const before = (await redis.xadd(here.stream, '1-0', 'invalidate', event('before'))) ?? '';
  await using opened = open(here);
  await saved(here, before);
  const last = await add(here.stream, event('a', 'b'), event('c'));
  await saved(here, last);
  expect(opened.invalidated.flat()).toEqual(['a', 'b', 'c']);
  expect([opened.gaps(), ...opened.problems.counts]).toEqual([0]);
});

test('events during a downtime of all processes are read at the next start', async () => {
  const here = place();
  {
    await using first = open(here);
    await saved(here);
    await saved(here, await add(here.stream, event('a')));
    expect(first.invalidated).toEqual([['a']]);
  }
  const last = await add(here.stream, event('b'), event('c'));
  await using second = open(here);
  await saved(here, last);
  expect([second.invalidated, second.gaps()]).toEqual([[['b', 'c']], 0]);
});

test('events that were trimmed unread invalidate everything', async () => {
  const here = place();
  {
    await using _ = open(here);
    await saved(here);
    await saved(here, await add(here.stream, event('a')));
  }
  const last = await add(here.stream, event('b'), event('c'));
  await redis.xtrim(here.stream, 'MAXLEN', 0);
  await using opened = open(here);
  await saved(here, last);
  expect([opened.gaps(), opened.invalidated]).toEqual([1, [['everything']]]);
  expect(opened.logLines).toEqual([
    expect.objectContaining({
      problem: 'events_missed',
      message: expect.stringContaining(`Events of ${here.stream} after `),
    }),
  ]);
  // The gap is handled, and not reported again at the next start.
  opened.events.close();
  await blockedReaders(0);
  await using next = open(here);
  await blockedReaders(1);
  await saved(here, await add(here.stream, event('d')));
  expect([next.gaps(), next.invalidated]).toEqual([0, [['d']]]);
});

test('every process handles every event and drops its copies', async () => {
  const here = place();
  const config = parseRedisConfig({
    url: server.url,
    keyPrefix: here.keyPrefix,
    timeouts: longRedisTimeouts,
  });
  await using one = await openTieredStore(config, clock.now);
  await using two = await openTieredStore(config, clock.now);
  one.store.setMany([createCacheWrite(clock, { tags: ['a'] })], one.store.beginRead());
  await one.waitForWrites();
  expect((await two.store.getMany(['key']))[0]).toBeDefined();
  await blockedReaders(0);
  await using first = open(here, { invalidate: (tags) => one.store.deleteByTags(tags) });
  await saved(here);
  await using second = open(here, { invalidate: (tags) => two.store.deleteByTags(tags) });
  // A process that starts after the event was handled does not read it.
  await blockedReaders(2);
  await add(here.stream, event('a'));
  await Promise.all([first, second].map((opened) => opened.until(() => opened.invalidated.length === 1)));
  await saved(here);
  expect([first.invalidated, second.invalidated]).toEqual([[['a']], [['a']]]);
  expect(await one.store.getMany(['key'])).toStrictEqual([undefined]);
  expect(await two.store.getMany(['key'])).toStrictEqual([undefined]);
});

test('an invalid event is counted, logged once and skipped', async () => {
  const here = place();
  await using opened = open(here, {
    parse: (body) => {
      if (body === 0) throw new Error('broken');
      return readTags(body);
    },
  });
  await saved(here);
  const first = await redis.xadd(here.stream, '*', 'other', '1');
  await add(here.stream, '{', '{}', 'null', '0', '');
  await saved(here, await add(here.stream, event('a')));
  expect(opened.invalidated.flat()).toEqual(['a']);
  expect(Object.fromEntries(opened.problems.counts)).toEqual({ 'unreadable event': 6 });
  expect(opened.logLines.map(({ message }) => message)).toEqual([
    `event ${first} of ${here.stream}: the event has no field \`invalidate\``,
  ]);
});

test('the problems of an invalid event are logged', async () => {
  const here = place();
  await using opened = open(here);
  await saved(here);
  const id = await add(here.stream, '{}');
  await saved(here, id);
  expect(opened.logLines).toEqual([
    expect.objectContaining({
      problem: 'unreadable_event',
      message: `event ${id} of ${here.stream}: tags: expected a list`,
    }),
  ]);
});

test('events wait until they can be parsed, and are not lost if the process ends before', async () => {
  const here = place();
  const gate = new Gate();
  const parse = async (body: unknown) => {
    await gate.pass();
    return readTags(body);
  };
  const waiting = open(here, { parse });
  const start = await saved(here);
  const last = await add(here.stream, event('a'));
  await gate.waitForArrivals();
  waiting.events.close();
  gate.open();
  await using opened = open(here);
  await saved(here, last);
  expect([waiting.invalidated, opened.invalidated]).toEqual([[], [['a']]]);
  expect(start).not.toBe(last);
});

test('the position moves past an event only when its entries are deleted', async () => {
  const here = place();
  const results = [{ deleted: 0, isPending: true }];
  await using opened = open(here, { invalidate: async () => results.shift() ?? done });
  const start = await saved(here);
  await add(here.stream, event('a'));
  await opened.until(() => opened.invalidated.length === 1);
  const last = await add(here.stream, event('b'));
  await opened.until(() => opened.invalidated.length === 2);
  await saved(here, last);
  expect(opened.invalidated).toEqual([['a'], ['a', 'b']]);
  expect(start).not.toBe(last);
});

test('the position moves past missed events only when all entries are deleted', async () => {
  const here = place();
  {
    await using _ = open(here);
    await saved(here);
    await saved(here, await add(here.stream, event('a')));
  }
  await add(here.stream, event('b'));
  await redis.xtrim(here.stream, 'MAXLEN', 0);
  const results = [{ deleted: 0, isPending: true }];
  await using opened = open(here, { invalidate: async () => results.shift() ?? done });
  await opened.until(() => opened.invalidated.length === 1);
  await saved(here, await add(here.stream, event('c')));
  expect(opened.invalidated).toEqual([['everything'], ['everything', 'c']]);
});

test('an invalid position is replaced after all events have been read', async () => {
  const here = place();
  const last = await add(here.stream, event('a'));
  await redis.set(`${here.keyPrefix}events:${here.stream}`, 'text');
  await using opened = open(here);
  await saved(here, last);
  expect(opened.invalidated).toEqual([['a']]);
});

test('the position never moves backward', async () => {
  const here = place();
  const config = parseRedisConfig({
    url: server.url,
    keyPrefix: here.keyPrefix,
    timeouts: longRedisTimeouts,
  });
  const failures: unknown[] = [];
  const options = {
    config,
    stream: here.stream,
    onFailure: (failure: unknown) => failures.push(failure),
    timers: systemTimers,
  };
  const positions = Array.from({ length: 2 }, () => new EventPosition(options));
  const [one, two] = positions;
  for (const [id, expected] of [
    ['10-5', '10-5'],
    ['9-9', '10-5'],
    ['10-10', '10-10'],
    ['10-9', '10-10'],
    ['9007199254740993-0', '9007199254740993-0'],
    ['9007199254740992-0', '9007199254740993-0'],
    ['9007199254740993-1', '9007199254740993-1'],
  ] as const) {
    const position = new EventPosition(options);
    positions.push(position);
    position.save(id);
    // Sent after the save, on the same connection.
    await position.load();
    await position.load();
    expect(await one?.load()).toBe(expected);
  }
  expect([await two?.load(), failures]).toEqual(['9007199254740993-1', []]);
  for (const position of positions) position.close();
});

test('a Redis that refuses writes is reported, and the position is saved later', async () => {
  await using replica = await startDedicatedRedis();
  const operator = connectRedis(replica.url);
  const here = place();
  const config = parseRedisConfig({ url: replica.url, keyPrefix: here.keyPrefix });
  const gate = new Gate();
  const invalidate = async () => {
    await gate.pass();
    return done;
  };
  await using opened = open(here, { config, invalidate });
  const key = `${here.keyPrefix}events:${here.stream}`;
  while ((await operator.get(key)) === null);
  await operator.xadd(here.stream, '5-0', 'invalidate', event('a'));
  await gate.waitForArrivals();
  await operator.call('REPLICAOF', '127.0.0.1', '1');
  gate.open();
  await opened.until(() => (opened.problems.counts.get('read only') ?? 0) >= 2);
  await operator.call('REPLICAOF', 'NO', 'ONE');
  while ((await operator.get(key)) !== '5-0');
  operator.disconnect();
});

test(
  'in a Cluster, the stream and the position can be on different masters',
  async () => {
    await using cluster = await startRedisCluster();
    const { keyPrefix } = place();
    const config = parseRedisConfig({ cluster: { nodes: cluster.nodes }, keyPrefix });
    const clients = cluster.servers.map(({ url }) => connectRedis(url));
    // Slots of the third and the first master. The prefix spreads the keys of the positions.
    for (const [stream, master] of [
      ['foo', 2],
      ['bar', 0],
    ] as const) {
      await using opened = open({ stream, keyPrefix }, { config });
      const isSaved = async (id: string) => {
        for (;;) {
          const found = await Promise.all(
            clients.map((client) => client.get(`${keyPrefix}events:${stream}`).catch(() => undefined)),
          );
          if (found.includes(id)) return;
        }
      };
      await isSaved('0-0');
      await clients[master]?.xadd(stream, '5-0', 'invalidate', event('a'));
      await isSaved('5-0');
      expect([opened.invalidated, opened.gaps()]).toEqual([[['a']], 0]);
    }
    for (const client of clients) client.disconnect();
  },
  downloadTimeoutMs,
);

test('a closed reader of events does not keep the process alive, in any state of Redis', async () => {
  await redis.set('tributary:events:stream', '0-0');
  await add('stream', event('a'));
  await expectExit(server.url, {
    imports: "import { EventInvalidations } from './gateway/cache/invalidation/eventInvalidations.ts';",
    code: `
      const isRead = Promise.withResolvers();
      const events = new EventInvalidations({ config, stream: 'stream', problems, timers: systemTimers,
        parse: () => { isRead.resolve(); return new Promise(() => {}); },
        invalidate: () => new Promise(() => {}), tagsOfEverything: () => new Promise(() => {}) });
      if (works) await isRead.promise;
      events.close();
    `,
  });
});
