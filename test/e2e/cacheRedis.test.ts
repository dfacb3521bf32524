import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createGateway, type GatewayOptions } from '../../gateway/gateway.ts';
import { type CachedShop, executeOnShop, type ShopAnswer, startCachedShop } from '../harness/cachedShop.ts';
import { type GatewayProcess, noKeepAlive, startGatewayProcess } from '../harness/gatewayProcess.ts';
import { planInProcess } from '../harness/inProcessPlanner.ts';
import { connectRedis } from '../harness/redis.ts';
import { longRedisTimeouts } from '../harness/redisStoreFixture.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { longCallTimeouts, noShedding } from '../harness/testGateway.ts';

const { server: redis } = await startSuiteRedis();

const rules = {
  'subgraph:catalog': { maxAge: '1h' },
  'subgraph:stock': { maxAge: '1h', staleWhileRevalidate: '1h' },
} as const;
const productQuery = 'query ($id: ID!) { product(id: $id) { id stock } }';

interface Replica {
  readonly url: string;
  readonly adminUrl: string;
}

interface SharingShop extends AsyncDisposable {
  readonly shop: CachedShop;
  readonly keyPrefix: string;
  /** The first one is the gateway of the shop. */
  readonly replicas: readonly [Replica, Replica, Replica];
}

/** For tests with an available Redis: on a busy machine, Redis must not seem slow or gone, because then every gateway would
 *  fetch for itself. */
const patient = { ...longRedisTimeouts, read: '1m' };

/** Three gateways in one process, each with its own memory and all with one Redis. */
async function startSharing(
  timeouts: NonNullable<GatewayOptions['redis']>['timeouts'],
): Promise<SharingShop> {
  const keyPrefix = randomUUID();
  const config = { cache: { rules }, redis: { url: redis.url, keyPrefix, timeouts } };
  const shop = await startCachedShop({ config });
  const started = [1, 2].map(async () => {
    const gateway = await createGateway(
      {
        listen: { port: 0, drainTimeout: 100 },
        admin: { port: 0 },
        overload: noShedding,
        supergraph: { file: shop.gateway.supergraphFile, watch: false },
        telemetry: { logLevel: 'silent' },
        ...config,
      },
      { now: shop.clock.now, startPlannerThread: planInProcess },
    );
    return { ...(await gateway.start()), close: () => gateway.close() };
  });
  const [second, third] = await Promise.all(started);
  const replicas = [shop.gateway, second, third] as unknown as SharingShop['replicas'];
  await sharing(replicas);
  return {
    shop,
    keyPrefix,
    replicas,
    async [Symbol.asyncDispose]() {
      await Promise.all([second?.close(), third?.close()]);
      await shop[Symbol.asyncDispose]();
    },
  };
}

function askFor(replica: Replica, id: string): Promise<ShopAnswer> {
  return executeOnShop(replica.url, productQuery, { variables: { id } });
}

const answerFor = (id: string, stock: number) => ({ data: { product: { id, stock } } });

interface EntryView {
  readonly value: { readonly stock?: unknown };
  readonly freshForMs: number;
  readonly subgraphs: readonly string[];
}

/** The stock of a product that a replica finds in its store. */
async function entriesOf({ adminUrl }: Replica, id: string): Promise<readonly EntryView[]> {
  const response = await fetch(new URL(`/cache/entry?type=Product&id=${id}`, adminUrl), {
    headers: noKeepAlive,
  });
  if (response.status === 404) return [];
  const { entries } = (await response.json()) as { entries: readonly EntryView[] };
  return entries.filter(({ subgraphs }) => subgraphs.includes('stock'));
}

/** Resolves when a replica that has not fetched these products finds them with this stock. */
async function stored(replica: Replica, ids: readonly string[], stock: number): Promise<void> {
  for (const id of ids) {
    await until(async () => {
      const entries = await entriesOf(replica, id);
      return entries.some(({ value }) => value.stock === stock);
    });
  }
}

/** Polls until the condition holds, and leaves the machine to others in between. Bounded, so that it does not continue
 *  after a failed test. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 5_000; round++) {
    if (await isSo()) return;
    await setTimeout(Math.min(round, 20));
  }
  throw new Error('It never came.');
}

/** Resolves when all replicas find what one of them stores. */
async function sharing(replicas: readonly Replica[]): Promise<void> {
  for (const from of replicas) {
    for (const to of replicas) {
      if (from === to) continue;
      await until(async () => {
        const id = randomUUID();
        await askFor(from, id);
        return (await entriesOf(to, id)).length > 0;
      });
    }
  }
}

async function metricsOf({ adminUrl }: Replica): Promise<string> {
  return (await fetch(new URL('/metrics', adminUrl), { headers: noKeepAlive })).text();
}

/** The number of lookups of entities of the subgraph of stocks. */
async function lookups(replica: Replica): Promise<number> {
  const text = await metricsOf(replica);
  const lines = text.matchAll(/^tributary_cache_lookups_total\{[^}]*subgraph="stock"[^}]*\} (\d+)$/gm);
  return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function sharedResponses(replica: Replica): Promise<number> {
  return Number(/^tributary_shared_responses_total (\d+)$/m.exec(await metricsOf(replica))?.[1]);
}

describe('Gateways that share a Redis', () => {
  test('serve entries that one of them stored', async () => {
    await using sharingShop = await startSharing(patient);
    const { shop, replicas } = sharingShop;
    expect((await askFor(replicas[0], 'a')).body).toEqual(answerFor('a', 3));
    shop.data.stock = 8;
    for (const replica of replicas) expect((await askFor(replica, 'a')).body).toEqual(answerFor('a', 3));
    expect(shop.requestedStockIds().filter(([id]) => id === 'a')).toHaveLength(1);
  });

  test('do not get a value from Redis that the schema forbids, and keep the stale one', async () => {
    await using sharingShop = await startSharing(patient);
    const { shop, replicas } = sharingShop;
    await askFor(replicas[0], 'a');
    await stored(replicas[1], ['a'], 3);
    shop.clock.advanceSeconds(3_601);
    shop.stock.answerWith(() => ({
      kind: 'json',
      body: { data: { _entities: [{ __typename: 'Product', stock: 'abc' }] } },
    }));
    await askFor(replicas[0], 'a');
    await until(async () => (await metricsOf(replicas[0])).includes('reason="schema_violation"'));
    for (const replica of replicas) {
      expect((await askFor(replica, 'a')).body).toMatchObject(answerFor('a', 3));
      expect((await entriesOf(replica, 'a')).map(({ value }) => value.stock)).toEqual([3]);
    }
  });

  test('serve a list whose parts were stored by different gateways', async () => {
    await using sharingShop = await startSharing(patient);
    const { shop, replicas } = sharingShop;
    const list = 'query ($ids: [ID!]!) { products(ids: $ids) { id stock } }';
    await executeOnShop(replicas[0].url, list, { variables: { ids: ['a', 'b'] } });
    await executeOnShop(replicas[1].url, list, { variables: { ids: ['c'] } });
    shop.data.stock = 8;
    const { body } = await executeOnShop(replicas[2].url, list, { variables: { ids: ['d', 'c', 'b', 'a'] } });
    const stockOf = { a: 3, b: 3, c: 3, d: 8 };
    expect(body).toEqual({
      data: { products: (['d', 'c', 'b', 'a'] as const).map((id) => ({ id, stock: stockOf[id] })) },
    });
  });

  test('overwrite damaged and foreign data under the key of an entry', async () => {
    await using sharingShop = await startSharing(patient);
    const { shop, replicas, keyPrefix } = sharingShop;
    // One for each kind of damage below.
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
    for (const id of ids) await askFor(replicas[0], id);
    await stored(replicas[1], ids, 3);
    const client = connectRedis(redis.url);
    const entries = new Map<string, { readonly index: number; readonly bytes: Buffer }>();
    for (const key of await client.keys(`${keyPrefix}*cache:entry:*`)) {
      const bytes = await client.getBuffer(key);
      const index = ids.findIndex((one) => key.includes(`"id":"${one}"`) || bytes?.includes(`"${one}"`));
      if (bytes !== null && index !== -1) entries.set(key, { index, bytes });
    }
    const ofAnother = (key: string): Buffer => {
      const another = [...entries].find(([other]) => other !== key);
      return another?.[1].bytes ?? Buffer.alloc(0);
    };
    const damages: ((key: string, bytes: Buffer) => Promise<unknown>)[] = [
      (key) => client.set(key, 'garbage'),
      (key) => client.del(key).then(() => client.rpush(key, 'a list')),
      (key, bytes) => client.set(key, bytes.subarray(0, -1)),
      (key) => client.set(key, ofAnother(key)),
      (key, bytes) => client.set(key, Buffer.from(bytes).fill(255, 0, 1)),
      (key) => client.set(key, ''),
    ];
    // Each kind of damage for a root field and for an entity.
    const counts = ids.map((_, id) => [...entries.values()].filter(({ index }) => index === id).length);
    expect(counts).toEqual(damages.map(() => 2));
    shop.data.stock = 8;
    for (const [key, { index, bytes }] of entries) await damages[index]?.(key, bytes);
    // The replica that stored them still has undamaged copies.
    for (const id of ids) expect((await askFor(replicas[0], id)).body).toEqual(answerFor(id, 3));
    await using other = await startReplica(shop, keyPrefix);
    const before = shop.requestedStockIds().length;
    for (const id of ids) expect((await askFor(other, id)).body).toEqual(answerFor(id, 8));
    await stored(replicas[1], ids, 8);
    await using another = await startReplica(shop, keyPrefix);
    for (const id of ids) expect((await askFor(another, id)).body).toEqual(answerFor(id, 8));
    const requestedIds = shop.requestedStockIds().slice(before).flat();
    expect(requestedIds.filter((id) => ids.some((one) => one === id))).toEqual(ids);
    client.disconnect();
  });

  test('invalidate what an unanswered mutation may still change again when the gateway that sent it stops', async () => {
    await using sharingShop = await startSharing(patient);
    const { shop, replicas, keyPrefix } = sharingShop;
    await using stopping = await startReplica(shop, keyPrefix, {
      'Mutation.rename': { entities: [{ __typename: 'Product', id: '{args.id}' }] },
    });
    await askFor(replicas[0], '1');
    await stored(replicas[1], ['1'], 3);
    const gate = shop.catalog.hold('Mutation.rename');
    const leaving = new AbortController();
    const { signal } = leaving;
    const answer = executeOnShop(stopping.url, 'mutation { rename(id: "1", prefix: "A") { id } }', {
      signal,
    });
    await gate.waitForArrivals();
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await until(async () => (await entriesOf(replicas[1], '1')).length === 0);
    await askFor(replicas[0], '1');
    await stored(replicas[1], ['1'], 3);
    shop.data.stock = 8;
    gate.open();
    await stopping[Symbol.asyncDispose]();
    await until(async () => (await entriesOf(replicas[1], '1')).length === 0);
    expect((await askFor(replicas[1], '1')).body).toEqual(answerFor('1', 8));
  });
});

/** Starts another replica with an empty memory. */
async function startReplica(
  shop: CachedShop,
  keyPrefix: string,
  mutations: NonNullable<GatewayOptions['cache']>['mutations'] = {},
): Promise<Replica & AsyncDisposable> {
  const gateway = await createGateway(
    {
      listen: { port: 0, drainTimeout: 100 },
      admin: { port: 0 },
      overload: noShedding,
      supergraph: { file: shop.gateway.supergraphFile, watch: false },
      telemetry: { logLevel: 'silent' },
      cache: { rules, mutations },
      redis: { url: redis.url, keyPrefix, timeouts: patient },
    },
    { now: shop.clock.now, startPlannerThread: planInProcess },
  );
  const replica = await gateway.start();
  await sharing([replica, shop.gateway]);
  return { ...replica, [Symbol.asyncDispose]: () => gateway.close() };
}

describe('While Redis is unavailable,', () => {
  /** Requests new and known items until the action is done, and checks every answer. */
  async function whileAsked(
    { replicas, shop }: SharingShop,
    work: (answered: (count: number) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    let isDone = false;
    let count = 0;
    let look = (): void => {};
    const reader = async (replica: Replica, number: number): Promise<void> => {
      for (let round = 0; !isDone; round++) {
        const id = round % 3 === 0 ? `known${number}` : randomUUID();
        expect((await askFor(replica, id)).body).toEqual(answerFor(id, shop.data.stock));
        count += 1;
        look();
      }
    };
    const readers = Promise.all(
      replicas.flatMap((replica) => [1, 2].map((number) => reader(replica, number))),
    );
    const answered = (more: number): Promise<void> => {
      const wanted = count + more;
      return new Promise((resolve) => {
        look = () => {
          if (count >= wanted) resolve();
        };
      });
    };
    try {
      await Promise.race([work(answered), readers]);
    } finally {
      isDone = true;
      await readers;
    }
  }

  test('requests are answered while it hangs', async () => {
    await using sharingShop = await startSharing({});
    await whileAsked(sharingShop, async (answered) => {
      redis.pause();
      try {
        await answered(100);
      } finally {
        redis.resume();
      }
      await answered(20);
    });
    await sharing(sharingShop.replicas);
  });

  test('requests are answered while it is killed and returns empty', async () => {
    await using sharingShop = await startSharing({});
    await whileAsked(sharingShop, async (answered) => {
      await redis.kill();
      await answered(100);
      await redis.restart();
      await answered(20);
    });
    await sharing(sharingShop.replicas);
  });

  test('stale values are served and refreshed while it hangs', async () => {
    // Losing the connection would drop the copies before all of them were requested.
    await using sharingShop = await startSharing(longRedisTimeouts);
    const { shop, replicas } = sharingShop;
    for (const replica of replicas) await askFor(replica, 'a');
    shop.data.stock = 8;
    shop.clock.advanceSeconds(3_601);
    redis.pause();
    try {
      for (const replica of replicas) {
        expect((await askFor(replica, 'a')).body).toMatchObject(answerFor('a', 3));
        await until(async () => {
          const { body } = await askFor(replica, 'a');
          if (body.extensions === undefined) expect(body).toEqual(answerFor('a', 8));
          return body.extensions === undefined;
        });
      }
    } finally {
      redis.resume();
    }
  });
});

describe('A thousand readers of two processes', () => {
  interface TwoProcesses extends AsyncDisposable {
    readonly shop: CachedShop;
    readonly processes: readonly [GatewayProcess, GatewayProcess];
  }

  let two: TwoProcesses;
  beforeAll(async () => {
    two = await startTwo();
  });
  afterAll(async () => await two[Symbol.asyncDispose]());

  async function startTwo(): Promise<TwoProcesses> {
    const shop = await startCachedShop({});
    const config: GatewayOptions = {
      supergraph: { file: shop.gateway.supergraphFile, watch: false },
      cache: { rules },
      redis: { url: redis.url, keyPrefix: randomUUID(), timeouts: patient },
      subgraphs: { all: { timeouts: longCallTimeouts } },
    };
    const processes = await Promise.all([startGatewayProcess(config), startGatewayProcess(config)]);
    await sharing(processes);
    return {
      shop,
      processes,
      async [Symbol.asyncDispose]() {
        await Promise.all(processes.map((one) => one[Symbol.asyncDispose]()));
        await shop[Symbol.asyncDispose]();
      },
    };
  }

  /** Makes one gateway store a value that is fresh for one second, and resolves when it is stale for all of them. */
  async function expire({ shop, processes }: TwoProcesses, id: string, cacheControl: string): Promise<void> {
    shop.stock.answerWith(() => ({
      kind: 'json',
      headers: { 'cache-control': cacheControl },
      body: { data: { _entities: [{ __typename: 'Product', stock: 3 }] } },
    }));
    const [first] = processes;
    expect((await askFor(first, id)).body).toEqual(answerFor(id, 3));
    shop.stock.answerWith(undefined);
    for (const one of processes) {
      await until(async () => (await entriesOf(one, id)).every(({ freshForMs }) => freshForMs === 0));
    }
    shop.stock.reset();
  }

  function readAll({ processes }: TwoProcesses, id: string): Promise<ShopAnswer>[] {
    return Array.from({ length: 1_000 }, (_, number) =>
      askFor(processes[number % processes.length] as GatewayProcess, id),
    );
  }

  /** How many requests have looked the value up, or have joined one that did. */
  const readersOf = async ({ processes }: TwoProcesses): Promise<number> => {
    const counts = await Promise.all(processes.flatMap((one) => [lookups(one), sharedResponses(one)]));
    return counts.reduce((sum, count) => sum + count, 0);
  };

  test('cause one call for an expired value', async () => {
    const { shop } = two;
    await expire(two, 'expired', 'max-age=1, must-revalidate');
    shop.data.stock = 8;
    const gate = shop.stock.hold('Product.stock');
    const before = await readersOf(two);
    const answers = readAll(two, 'expired');
    await until(async () => (await readersOf(two)) >= before + 1_000);
    gate.open();
    const wrong = (await Promise.all(answers)).filter(
      ({ body }) => JSON.stringify(body) !== JSON.stringify(answerFor('expired', 8)),
    );
    expect(wrong).toEqual([]);
    expect(shop.requestedStockIds()).toEqual([['expired']]);
  });

  test('cause one refresh of a stale value, and none of them waits for it', async () => {
    const { shop } = two;
    await expire(two, 'stale', 'max-age=1, stale-while-revalidate=3600');
    shop.data.stock = 8;
    const gate = shop.stock.hold('Product.stock');
    // The subgraph answers only after all readers got their answers.
    const answers = await Promise.all(readAll(two, 'stale'));
    expect(answers.filter(({ body }) => body.extensions === undefined)).toEqual([]);
    expect(answers.map(({ body }) => body.data)).toEqual(answers.map(() => answerFor('stale', 3).data));
    gate.open();
    for (const one of two.processes) {
      await until(async () => {
        const { body } = await askFor(one, 'stale');
        if (body.extensions === undefined) expect(body).toEqual(answerFor('stale', 8));
        return body.extensions === undefined;
      });
    }
    expect(shop.requestedStockIds()).toEqual([['stale']]);
  });
});
