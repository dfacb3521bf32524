import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { type CachedShop, createStockAnswer, startCachedShop } from '../harness/cachedShop.ts';
import { postJson } from '../harness/postJson.ts';

const rules = {
  'subgraph:catalog': { maxAge: '1h' },
  'subgraph:stock': { maxAge: '1m', staleWhileRevalidate: '1m', staleIfError: '10m' },
} as const;
const query = '{ top { stock } }';
const answered = (stock: number) => ({ data: { top: { stock } } });

interface AnswerMetadata {
  readonly headers?: Readonly<Record<string, string>>;
  readonly extensions?: unknown;
}

/** Starts a shop whose subgraph of stocks sends this metadata with each answer. The stocks are numbered from 1. */
function sendWithEach(shop: CachedShop, metadata: AnswerMetadata): void {
  let count = 0;
  shop.stock.answerWith(({ variables }) => {
    count += 1;
    return createStockAnswer(variables.representations as readonly unknown[], count, metadata);
  });
}

async function startWithMetadata(
  metadata: AnswerMetadata,
  {
    lines = [],
    level = 'warn',
    cache = {},
  }: { lines?: Record<string, unknown>[]; level?: string; cache?: GatewayOptions['cache'] } = {},
): Promise<CachedShop> {
  const shop = await startCachedShop({
    cache: { rules, ...cache },
    config: { security: { identity: { header: 'x-user-id' } } },
    dependencies: {
      logger: pino({ level, base: null }, { write: (line) => lines.push(JSON.parse(line)) }),
    },
  });
  sendWithEach(shop, metadata);
  return shop;
}

describe('Why values with a rule are not stored', () => {
  const msg = 'Values with a cache rule are not stored (docs/caching.md, "Nothing is cached?")';
  const reportsIn = (lines: readonly Record<string, unknown>[]) =>
    lines
      .filter((line) => line.msg === msg)
      .map(({ subgraph, fields, reason, level }) => ({ subgraph, fields, reason, level }));
  const [info, warn] = [30, 40];

  test('is logged once for each rule and reason if the headers of the answer forbid it, and counted in GET /cache/rules', async () => {
    const lines: Record<string, unknown>[] = [];
    await using shop = await startWithMetadata({ headers: { 'cache-control': 'no-store' } }, { lines });
    for (const text of [query, query, '{ top { stock reserved } }']) await shop.execute(text);
    sendWithEach(shop, { headers: { 'cache-control': 'no-cache' } });
    await shop.execute(query);
    const noStore = { subgraph: 'stock', fields: ['Product.stock'], level: warn };
    expect(reportsIn(lines)).toEqual([
      { ...noStore, reason: 'Cache-Control: no-store' },
      { ...noStore, reason: 'Cache-Control: no-cache' },
    ]);
    expect(lines[0]).toMatchObject({
      rules: ['subgraph:stock'],
      advice: expect.stringContaining('cache.ignoreSubgraphNoStore'),
    });
    await shop.execute('{ top { name } }');
    await shop.execute('{ top { name } }');
    const report = await fetch(new URL('/cache/rules', shop.gateway.adminUrl));
    const keyHeaders = ['accept-language', 'authorization'];
    expect(await report.json()).toEqual({
      rules: [
        {
          rule: 'subgraph:catalog',
          source: 'configuration',
          maxAgeMs: 3_600_000,
          staleWhileRevalidateMs: 0,
          staleIfErrorMs: 0,
          scope: 'PUBLIC',
          tags: [],
          subgraphs: [
            // Three shapes of one root field: two requests found the first one, one the last.
            { subgraph: 'catalog', hits: 4, stale: 0, misses: 2, stored: 2, keyHeaders, notStored: [] },
          ],
        },
        {
          rule: 'subgraph:stock',
          source: 'configuration',
          maxAgeMs: 60_000,
          staleWhileRevalidateMs: 60_000,
          staleIfErrorMs: 600_000,
          scope: 'PUBLIC',
          tags: [],
          subgraphs: [
            {
              subgraph: 'stock',
              hits: 0,
              stale: 0,
              misses: 4,
              stored: 0,
              keyHeaders,
              notStored: [
                {
                  reason: 'Cache-Control: no-store',
                  advice: expect.stringContaining('cache.ignoreSubgraphNoStore'),
                  count: 3,
                  fields: ['Product.stock'],
                },
                {
                  reason: 'Cache-Control: no-cache',
                  advice: 'Change the header in the subgraph.',
                  count: 1,
                  fields: ['Product.stock'],
                },
              ],
            },
          ],
        },
      ],
    });
  });

  test('is logged once if a selected field has no rule, a private rule has no identity, or a value is invalid', async () => {
    const lines: Record<string, unknown>[] = [];
    await using shop = await startWithMetadata(
      {},
      {
        lines,
        level: 'info',
        cache: {
          maxEntrySize: 100,
          rules: {
            'Product.name': { maxAge: '1m' },
            'Product.stock': { maxAge: '1m' },
            'Query.greeting': { maxAge: '1m' },
            'User.email': { maxAge: '1m', scope: 'PRIVATE' },
            'Query.me': { maxAge: '1m' },
          },
        },
      },
    );
    shop.data.greeting = 'x'.repeat(100);
    for (const _ of [1, 2]) {
      await shop.execute('{ top { name } }');
      await shop.execute('{ greeting }');
      await shop.execute('{ me { email } }');
      shop.stock.answerWith(() => ({
        kind: 'json',
        body: { data: { _entities: [{ __typename: 'Product', stock: 'abc' }] } },
      }));
      await shop.execute(query);
      // Nothing in these fetches has a rule.
      await shop.execute('{ top { id } }');
    }
    expect(reportsIn(lines)).toEqual([
      { subgraph: 'catalog', fields: ['Product.name'], reason: 'Query.top has no rule', level: info },
      {
        subgraph: 'catalog',
        fields: ['Query.greeting'],
        reason: 'the value is larger than cache.maxEntrySize',
        level: warn,
      },
      {
        subgraph: 'people',
        fields: ['Query.me', 'User.email'],
        reason: 'the rule is private, and the request has no identity',
        level: info,
      },
      {
        subgraph: 'stock',
        fields: ['Product.stock'],
        reason: 'the schema forbids the value of Product.stock',
        level: warn,
      },
    ]);
  });
});

describe('The Cache-Control of a subgraph:', () => {
  test.each(['no-store', 'no-cache', 'max-age=0, must-revalidate', 'private'])(
    '%s prevents storing',
    async (cacheControl) => {
      await using shop = await startWithMetadata({ headers: { 'cache-control': cacheControl } });
      for (const stock of [1, 2, 3]) {
        const { body, headers } = await shop.execute(query);
        expect(body).toEqual(answered(stock));
        expect(headers.get('cache-control')).toBe('no-store');
      }
    },
  );

  test('no-store does not count for the subgraphs of `ignoreSubgraphNoStore`, but everything else does', async () => {
    await using shop = await startWithMetadata(
      { headers: { 'cache-control': 'no-store, max-age=20' } },
      { cache: { ignoreSubgraphNoStore: ['stock'] } },
    );
    expect((await shop.execute(query)).headers.get('cache-control')).toBe('public, max-age=20');
    shop.clock.advanceSeconds(19);
    expect((await shop.execute(query)).body).toEqual(answered(1));
    sendWithEach(shop, { headers: { 'cache-control': 'no-cache, no-store' } });
    shop.clock.advanceSeconds(100);
    expect((await shop.execute(query)).headers.get('cache-control')).toBe('no-store');
  });

  test('max-age shortens the lifetime and never extends it', async () => {
    for (const [cacheControl, seconds] of [
      ['max-age=10', 10],
      ['max-age=1000', 60],
      ['max-age=50, s-maxage=20', 20],
    ] as const) {
      await using shop = await startWithMetadata(
        { headers: { 'cache-control': cacheControl } },
        { cache: { rules: { ...rules, 'subgraph:stock': { maxAge: '1m' } } } },
      );
      const { headers } = await shop.execute(query);
      expect(headers.get('cache-control')).toBe(`public, max-age=${seconds}`);
      shop.clock.advanceSeconds(seconds - 1);
      const later = await shop.execute(query);
      expect(later.body).toEqual(answered(1));
      expect(later.headers.get('cache-control')).toBe(`public, max-age=${seconds}`);
      expect(later.headers.get('age')).toBe(`${seconds - 1}`);
      shop.clock.advanceSeconds(1);
      expect((await shop.execute(query)).body).toEqual(answered(2));
    }
  });

  test('must-revalidate prevents stale values', async () => {
    await using shop = await startWithMetadata({
      headers: { 'cache-control': 'max-age=10, must-revalidate' },
    });
    await shop.execute(query);
    shop.clock.advanceSeconds(10);
    expect((await shop.execute(query)).body).toEqual(answered(2));
    await shop.stock.close();
    shop.clock.advanceSeconds(10);
    expect((await shop.execute(query)).body).toMatchObject({ data: { top: { stock: null } }, errors: [{}] });
  });

  test('stale-while-revalidate and stale-if-error shorten the stale periods', async () => {
    const headers = { 'cache-control': 'max-age=10, stale-while-revalidate=5, stale-if-error=20' };
    await using shop = await startWithMetadata({ headers });
    await shop.execute(query);
    shop.clock.advanceSeconds(14);
    expect((await shop.execute(query)).body).toMatchObject(answered(1));
    expect((await shop.executeUntilFresh(query)).body).toEqual(answered(2));
    shop.clock.advanceSeconds(15);
    expect((await shop.execute(query)).body).toEqual(answered(3));
    await shop.stock.close();
    shop.clock.advanceSeconds(29);
    expect((await shop.execute(query)).body).toMatchObject(answered(3));
    shop.clock.advanceSeconds(1);
    expect((await shop.execute(query)).body).toMatchObject({ data: { top: { stock: null } }, errors: [{}] });
  });

  test('private stores the value for the identity of the request', async () => {
    await using shop = await startWithMetadata({ headers: { 'cache-control': 'private' } });
    const by = (id: string) => ({ headers: { 'x-user-id': id } });
    expect((await shop.execute(query, by('a'))).body).toEqual(answered(1));
    const again = await shop.execute(query, by('a'));
    expect(again.body).toEqual(answered(1));
    expect(again.headers.get('cache-control')).toBe('private, max-age=60');
    expect((await shop.execute(query, by('b'))).body).toEqual(answered(2));
    expect((await shop.execute(query)).body).toEqual(answered(3));
    expect((await shop.execute(query, by('a'))).body).toEqual(answered(1));
  });

  test('max-age is shortened by the Age of the answer', async () => {
    await using shop = await startWithMetadata({ headers: { 'cache-control': 'max-age=50', age: '20' } });
    const { headers } = await shop.execute(query);
    expect([headers.get('cache-control'), headers.get('age')]).toEqual(['public, max-age=50', '20']);
    shop.clock.advanceSeconds(29);
    expect((await shop.execute(query)).body).toEqual(answered(1));
    shop.clock.advanceSeconds(2);
    expect((await shop.execute(query)).body).toEqual({
      ...answered(1),
      extensions: {
        tributary: { stale: [{ path: ['top', 'stock'], ageMs: 51_000, reason: 'revalidating' }] },
      },
    });
  });
});

describe('Invalid cache metadata:', () => {
  test.each([
    ['an invalid number', { headers: { 'cache-control': 'max-age=soon' } }, 'max-age is "soon"'],
    ['an invalid list', { headers: { 'cache-control': '=;=' } }, 'cannot be parsed'],
    ['an invalid age', { headers: { age: 'old' } }, 'Age: "old"'],
    ['invalid tags', { extensions: { cacheTags: 'sale' } }, 'extensions.cacheTags is not a list'],
  ])('%s prevents storing, and is logged once', async (_, metadata, reason) => {
    const lines: Record<string, unknown>[] = [];
    await using shop = await startWithMetadata(metadata, { lines });
    for (const stock of [1, 2, 3]) expect((await shop.execute(query)).body).toEqual(answered(stock));
    expect(lines).toEqual([
      expect.objectContaining({ subgraph: 'stock', reason: expect.stringContaining(reason) }),
    ]);
  });
});

test('values can be invalidated by the tags of their answer', async () => {
  await using shop = await startWithMetadata({ extensions: { cacheTags: ['sale'] } });
  const invalidate = async (tag: string): Promise<unknown> => {
    const response = await postJson(new URL('/cache/invalidate', shop.gateway.adminUrl), { tags: [tag] });
    return response.json();
  };
  await shop.execute(query);
  expect(await invalidate('summer')).toEqual({ deleted: 0, pending: false });
  expect((await shop.execute(query)).body).toEqual(answered(1));
  expect(await invalidate('sale')).toEqual({ deleted: 1, pending: false });
  expect((await shop.execute(query)).body).toEqual(answered(2));
});

describe('The response of the gateway', () => {
  test('expires with its first part and has the age of the oldest part', async () => {
    await using shop = await startCachedShop({
      cache: { rules: { 'subgraph:catalog': { maxAge: '1m' }, 'subgraph:stock': { maxAge: '50s' } } },
    });
    await shop.execute('{ top { name } }');
    shop.clock.advanceSeconds(20);
    await shop.execute('{ top { stock } }');
    shop.clock.advanceSeconds(10);
    const { headers } = await shop.execute('{ top { name } again: top { stock } }');
    expect(['cache-control', 'age', 'vary'].map((name) => headers.get(name))).toEqual([
      'public, max-age=60',
      '30',
      'accept-encoding, accept, accept-language, authorization',
    ]);
  });

  test('has no-store if one of its parts must not be cached', async () => {
    await using shop = await startCachedShop({ cache: { rules: { 'subgraph:stock': { maxAge: '1m' } } } });
    for (let time = 1; time <= 2; time++) {
      const { headers } = await shop.execute(query);
      expect([headers.get('cache-control'), headers.get('age')]).toEqual(['no-store', null]);
    }
  });

  test('has no-store if it has an error', async () => {
    await using shop = await startCachedShop({ cache: { rules } });
    const { body, headers } = await shop.execute('{ products(ids: ["1", "broken"]) { stock } }');
    expect(body.errors).toHaveLength(1);
    expect(headers.get('cache-control')).toBe('no-store');
  });
});
