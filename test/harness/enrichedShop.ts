import type { GatewayDependencies, GatewayOptions } from '../../gateway/gateway.ts';
import { type InlineGateway, type RunningInlineSubgraph, startInlineGateway } from './inlineGateway.ts';
import { readEvents } from './readEvents.ts';

const products = [
  { id: '1', name: 'Pan' },
  { id: '2', name: 'Pot' },
];

interface EnrichedShopOptions {
  readonly config?: Partial<GatewayOptions>;
  readonly enrichment?: GatewayOptions['enrichment'];
  readonly dependencies?: GatewayDependencies;
  /** Whether the gateway watches the supergraph file. */
  readonly isWatching?: boolean;
}

export interface Update {
  readonly path: readonly (string | number)[];
  readonly data: unknown;
  readonly errors: readonly { readonly message: string }[] | null;
  readonly hasNext: boolean;
  readonly cursor: string;
}

export interface EnrichedBody {
  readonly data?: unknown;
  readonly errors?: readonly unknown[];
  readonly extensions?: {
    readonly tributary?: {
      readonly enrichment?: {
        readonly token?: string;
        readonly expiresInMs?: number;
        readonly pending: readonly { readonly path: readonly (string | number)[]; readonly reason: string }[];
      };
      readonly stale?: readonly unknown[];
    };
  };
}

export interface EnrichedShop extends AsyncDisposable {
  readonly gateway: InlineGateway;
  /** The subgraph of the enrichments. */
  readonly advice: RunningInlineSubgraph;
  readonly catalog: RunningInlineSubgraph;
  execute(query: string, headers?: Readonly<Record<string, string>>): Promise<EnrichedBody>;
  /** All updates of a token, when the last one has arrived. */
  fetchUpdates(
    token: string | undefined,
    headers?: Readonly<Record<string, string>>,
  ): Promise<readonly Update[]>;
  /** The updates of a token that have arrived so far. */
  pollUpdates(token: string | undefined, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

/** The token of a response, with what is pending. */
export const enrichmentOf = ({ extensions }: EnrichedBody) => extensions?.tributary?.enrichment;

/** A gateway whose enrichments have a budget of 0 ms, unless `enrichment` says otherwise. */
export async function startEnrichedShop(options: EnrichedShopOptions = {}): Promise<EnrichedShop> {
  const gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'catalog',
        sdl: `
          type Query { top: Product, products: [Product]!, must: Product! }
          type Mutation { rename(name: String!): Product }
          type Product @key(fields: "id") { id: ID! name: String! similar: [Product] }`,
        resolvers: {
          Query: { top: () => products[0], products: () => products, must: () => products[1] },
          Product: {
            similar: () => [products[1]],
            name: ({ id, name }: { id: string; name?: string }) =>
              name ?? products.find((product) => product.id === id)?.name,
          },
          Mutation: { rename: (_: never, { name }: { name: string }) => ({ id: '1', name }) },
        },
      },
      {
        name: 'advice',
        sdl: `
          type Product @key(fields: "id") {
            id: ID!
            related: [Product!]
            advice: Advice
            rating: Int!
          }
          type Advice { text: String! author: String }`,
        resolvers: {
          Product: {
            related: ({ id }: { id: string }) => [{ id: id === '1' ? '2' : '1' }],
            advice: ({ id }: { id: string }) => ({ text: `about ${id}`, author: 'us' }),
            rating: ({ id }: { id: string }) => Number(id) * 2,
          },
        },
      },
    ],
    config: {
      enrichment: {
        mode: 'always',
        budget: '0ms',
        fields: { 'Product.related': {}, 'Product.advice': {}, 'Product.rating': {} },
        jobs: { backoff: { base: '1ms', max: '1ms' } },
        ...options.enrichment,
      },
      ...options.config,
    },
    ...(options.dependencies === undefined ? {} : { dependencies: options.dependencies }),
    isWatching: options.isWatching ?? false,
  });
  const urlOf = (token: string | undefined): URL => new URL(`/enrichments/${String(token)}`, gateway.url);
  return {
    gateway,
    advice: gateway.subgraph('advice'),
    catalog: gateway.subgraph('catalog'),
    execute: async (query, headers = {}) => (await gateway.execute(query, { headers })).body as EnrichedBody,
    fetchUpdates: async (token, headers = {}) => {
      const response = await fetch(urlOf(token), { headers: { accept: 'text/event-stream', ...headers } });
      const events = readEvents(await response.text());
      if (events.at(-1)?.event !== 'complete')
        throw new Error('The stream of updates ended without `complete`.');
      return events.slice(0, -1).map(({ data }) => JSON.parse(data) as Update);
    },
    pollUpdates: (token, headers = {}) =>
      fetch(urlOf(token), { headers: { accept: 'application/json', ...headers } }),
    [Symbol.asyncDispose]: () => gateway.close(),
  };
}
