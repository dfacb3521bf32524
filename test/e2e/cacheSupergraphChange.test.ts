import { readFile, rename, writeFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type CachedShop, startCachedShop } from '../harness/cachedShop.ts';
import { withCached } from '../harness/cachedSubgraphs.ts';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { postJson } from '../harness/postJson.ts';

const query = '{ top { name stock } }';

/** Notices when a gateway uses another supergraph. */
class SupergraphSwitch {
  #taken = (): void => {};
  readonly logger = pino(
    { level: 'info' },
    {
      write: (line: string): void => {
        if (line.includes('A new supergraph is in use')) this.#taken();
      },
    },
  );

  /** Changes the supergraph of a gateway that watches its file. Resolves when the gateway uses it. */
  async change({ supergraphFile: file }: InlineGateway, change: (sdl: string) => string): Promise<void> {
    const sdl = await readFile(file, 'utf8');
    const changed = change(sdl);
    expect(changed).not.toBe(sdl);
    const isTaken = new Promise<void>((resolve) => {
      this.#taken = resolve;
    });
    await writeFile(`${file}.next`, changed);
    await rename(`${file}.next`, file);
    await isTaken;
  }
}

async function postInvalidation({ adminUrl }: InlineGateway, body: unknown): Promise<unknown> {
  const response = await postJson(new URL('/cache/invalidate', adminUrl), body);
  return response.json();
}

interface SwitchingShop extends AsyncDisposable {
  readonly shop: CachedShop;
  /** Resolves when the changed supergraph is in use. */
  change(change: (sdl: string) => string): Promise<void>;
}

async function startSwitching(): Promise<SwitchingShop> {
  const supergraphSwitch = new SupergraphSwitch();
  const shop = await startCachedShop({
    cache: { rules: { 'subgraph:catalog': { maxAge: '1m' }, 'subgraph:stock': { maxAge: '1m' } } },
    config: { security: { introspection: true } },
    isWatching: true,
    dependencies: { logger: supergraphSwitch.logger },
  });
  return {
    shop,
    change: (change) => supergraphSwitch.change(shop.gateway, change),
    [Symbol.asyncDispose]: () => shop[Symbol.asyncDispose](),
  };
}

describe('A new supergraph', () => {
  test('uses stored entries of fields that it does not change', async () => {
    await using switching = await startSwitching();
    const { shop, change } = switching;
    const before = await shop.execute(query);
    Object.assign(shop.data, { stock: 8, prefix: 'Thing' });
    await change((sdl) =>
      sdl.replace(/(type Place\b[^{]*\{)/, '$1\n  level: Int @join__field(graph: STOCK)'),
    );
    expect((await shop.execute('{ __type(name: "Place") { fields { name } } }')).body.data).toEqual({
      __type: { fields: expect.arrayContaining([{ name: 'level' }]) },
    });
    expect((await shop.execute(query)).body).toEqual(before.body);
  });

  test('fetches a field again if it changes its type, and no other field', async () => {
    await using switching = await startSwitching();
    const { shop, change } = switching;
    await shop.execute(query);
    Object.assign(shop.data, { stock: 8, prefix: 'Thing' });
    await change((sdl) => sdl.replace('stock: Int ', 'stock: Float '));
    expect((await shop.execute(query)).body).toEqual({ data: { top: { name: 'Product 1', stock: 8 } } });
    expect(shop.catalog.calls).toHaveLength(1);
  });

  test('fetches a field again if it changes its arguments', async () => {
    await using switching = await startSwitching();
    const { shop, change } = switching;
    await shop.execute(query);
    shop.data.stock = 8;
    await change((sdl) => sdl.replace('stock: Int ', 'stock(at: String = "all"): Int '));
    expect((await shop.execute(query)).body).toEqual({ data: { top: { name: 'Product 1', stock: 8 } } });
  });

  test('uses no entry that its new key could not invalidate', async () => {
    await using switching = await startSwitching();
    const { shop, change } = switching;
    await shop.execute(query);
    await change((sdl) => sdl.replace('type Product', '$& @join__type(graph: CATALOG, key: "name")'));
    await shop.execute(query);
    shop.data.stock = 8;
    const entities = [{ __typename: 'Product', name: 'Product 1' }];
    expect(await postInvalidation(shop.gateway, { entities })).toMatchObject({ pending: false });
    expect((await shop.execute(query)).body).toEqual({ data: { top: { name: 'Product 1', stock: 8 } } });
  });
});

describe('A supergraph without cache rules', () => {
  const restock = 'mutation { restock(id: "1") { id } }';
  const invalidate = (gateway: InlineGateway) => postInvalidation(gateway, { types: ['Product'] });

  test.each<[string, (gateway: InlineGateway) => Promise<unknown>]>([
    ['a mutation', (gateway) => gateway.execute(restock)],
    ['a request', invalidate],
  ])('is no reason to ignore an invalidation by %s: the entries are served again later', async (_by, act) => {
    const supergraphSwitch = new SupergraphSwitch();
    let stock = 3;
    await using gateway = await startInlineGateway({
      subgraphs: [
        {
          name: 'shop',
          link: '',
          sdl: withCached(
            `type Query { product: Product @cached(maxAge: "1h") }
             type Mutation { restock(id: ID!): Product }
             type Product @key(fields: "id") @cached(maxAge: "1h") { id: ID! stock: Int }`,
          ),
          resolvers: {
            Query: { product: () => ({ id: '1', stock }) },
            Mutation: { restock: () => ({ id: '1' }) },
          },
        },
      ],
      config: {
        cache: {
          mutations: { 'Mutation.restock': { entities: [{ __typename: 'Product', id: '{args.id}' }] } },
        },
      },
      isWatching: true,
      dependencies: { logger: supergraphSwitch.logger },
    });
    const read = async () => (await gateway.execute('{ product { stock } }')).body.data;
    expect(await read()).toEqual({ product: { stock: 3 } });
    stock = 8;
    expect(await read()).toEqual({ product: { stock: 3 } });
    const [own, other] = ['https://tributary.dev/spec/', 'https://example.com/spec/'];
    await supergraphSwitch.change(gateway, (sdl) => sdl.replaceAll(own, other));
    await act(gateway);
    await supergraphSwitch.change(gateway, (sdl) => sdl.replaceAll(other, own));
    expect(await read()).toEqual({ product: { stock: 8 } });
  });
});
