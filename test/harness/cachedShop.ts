import { GraphQLError } from 'graphql';
import type { GatewayDependencies, GatewayOptions } from '../../gateway/gateway.ts';
import { noKeepAlive } from './gatewayProcess.ts';
import {
  type ExecuteOptions,
  type InlineGateway,
  type InlineSubgraph,
  type RunningInlineSubgraph,
  startInlineGateway,
} from './inlineGateway.ts';

/** A clock that only the test moves. */
export class ShopClock {
  #time = Date.now();
  readonly now = (): number => this.#time;

  advanceSeconds(seconds: number): void {
    this.#time += seconds * 1_000;
  }
}

/** The data of the subgraphs, which the test can change. */
interface ShopData {
  /** The stock of every product. */
  stock: number;
  greeting: string;
  /** The prefix of every product's `name`. */
  prefix: string;
}

export interface ShopAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    readonly data?: unknown;
    readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
    readonly extensions?: unknown;
  };
}

export interface CachedShop extends AsyncDisposable {
  readonly gateway: InlineGateway;
  readonly clock: ShopClock;
  readonly data: ShopData;
  /** The subgraph of products and their names. */
  readonly catalog: RunningInlineSubgraph;
  /** The subgraph of stocks and places. */
  readonly stock: RunningInlineSubgraph;
  /** The subgraph of users. */
  readonly people: RunningInlineSubgraph;
  execute(query: string, options?: ExecuteOptions): Promise<ShopAnswer>;
  /** Repeats the query until no value is stale. */
  executeUntilFresh(query: string, options?: ExecuteOptions): Promise<ShopAnswer>;
  /** The ids of the products in each call to the subgraph `stock`. */
  requestedStockIds(): readonly (readonly string[])[];
}

export interface CachedShopOptions {
  readonly cache?: GatewayOptions['cache'];
  readonly config?: Partial<GatewayOptions>;
  readonly dependencies?: GatewayDependencies;
  /** Whether the gateway reloads a changed supergraph file. */
  readonly isWatching?: boolean;
}

/** Starts a gateway with a cache, its subgraphs, and a clock that the test moves. */
export async function startCachedShop(options: CachedShopOptions): Promise<CachedShop> {
  const { cache, config, dependencies, isWatching = false } = options;
  const clock = new ShopClock();
  const data: ShopData = { stock: 3, greeting: 'hello', prefix: 'Product' };
  const gateway = await startInlineGateway({
    subgraphs: shopSubgraphs(data),
    config: { ...(cache === undefined ? {} : { cache }), ...config },
    dependencies: { now: clock.now, ...dependencies },
    isWatching,
  });
  const stock = gateway.subgraph('stock');
  const shop: CachedShop = {
    gateway,
    clock,
    data,
    catalog: gateway.subgraph('catalog'),
    stock,
    people: gateway.subgraph('people'),
    execute: (query, options) => executeOnShop(gateway.url, query, options),
    async executeUntilFresh(query, options) {
      for (;;) {
        const answer = await shop.execute(query, options);
        if (answer.body.extensions === undefined) return answer;
      }
    },
    requestedStockIds: () =>
      stock.calls.flatMap(({ variables }) => {
        const { representations } = variables as { representations?: readonly { id: string }[] };
        return representations === undefined ? [] : [representations.map(({ id }) => id)];
      }),
    [Symbol.asyncDispose]: () => gateway.close(),
  };
  return shop;
}

export async function executeOnShop(
  url: string,
  query: string,
  options: ExecuteOptions = {},
): Promise<ShopAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      ...noKeepAlive,
      'content-type': 'application/json',
      accept: 'application/json',
      ...options.headers,
    },
    body: JSON.stringify({ query, variables: options.variables }),
    signal: options.signal ?? null,
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as ShopAnswer['body'],
  };
}

/** Creates an answer that replaces the resolvers: this stock for every product, with headers and extensions. */
export function createStockAnswer(
  representations: readonly unknown[],
  stock: number,
  { headers = {}, extensions }: { headers?: Readonly<Record<string, string>>; extensions?: unknown } = {},
) {
  const entities = representations.map(() => ({ __typename: 'Product', stock }));
  return { kind: 'json' as const, headers, body: { data: { _entities: entities }, extensions } };
}

function shopSubgraphs(data: ShopData): readonly InlineSubgraph[] {
  const product = (id: string) => ({ id });
  const owner = (headers: Readonly<Record<string, unknown>>): string =>
    String(headers['x-user-id'] ?? headers.authorization ?? 'nobody');
  return [
    {
      name: 'catalog',
      sdl: `
        type Query { top: Product products(ids: [ID!]!): [Product]! product(id: ID!): Product greeting: String }
        type Mutation { rename(id: ID!, prefix: String!): Product }
        type Product @key(fields: "id") { id: ID! name: String maker: Maker }
        type Maker @key(fields: "id") { id: ID! }
      `,
      resolvers: {
        Query: {
          top: () => product('1'),
          products: (_: never, { ids }: { ids: readonly string[] }) => ids.map(product),
          product: (_: never, { id }: { id: string }) => product(id),
          greeting: () => data.greeting,
        },
        Mutation: {
          rename: (_: never, { id, prefix }: { id: string; prefix: string }) => {
            data.prefix = prefix;
            return product(id);
          },
        },
        Product: {
          name: ({ id }: { id: string }) => `${data.prefix} ${id}`,
          maker: ({ id }: { id: string }) => ({ id: `m${id}` }),
        },
      } as InlineSubgraph['resolvers'] & {},
    },
    {
      name: 'stock',
      sdl: `
        type Query { low: [Product!]! }
        type Product @key(fields: "id") { id: ID! stock: Int place: Place reserved: Int! }
        type Maker @key(fields: "id") { id: ID! open: Int }
        type Place { aisle: Int shelf: String }
      `,
      resolvers: {
        Query: { low: () => [product('1'), product('2')] },
        Product: {
          __resolveReference: ({ id }: { id: string }) => {
            return id === 'none' ? null : product(id);
          },
          stock: ({ id }: { id: string }) => {
            if (id === 'broken') throw new GraphQLError('The shelf has fallen.');
            return data.stock;
          },
          place: ({ id }: { id: string }) => ({ aisle: Number(id), shelf: `s${data.stock}` }),
          reserved: ({ id }: { id: string }) => (id === 'odd' ? null : 1),
        },
        Maker: { open: () => data.stock },
      } as InlineSubgraph['resolvers'] & {},
    },
    {
      name: 'people',
      sdl: `
        type Query { me: User }
        type User @key(fields: "id") { id: ID! email: String }
        type Product @key(fields: "id") { id: ID! wished: String }
      `,
      resolvers: {
        Query: { me: (_: never, __: never, { headers }) => ({ id: owner(headers), email: owner(headers) }) },
        Product: { wished: (_: never, __: never, { headers }) => owner(headers) },
      } as InlineSubgraph['resolvers'] & {},
    },
  ];
}
