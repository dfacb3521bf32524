/** What all processes of this benchmark know of its graph. An event's number is its product's id and stock, so that
 *  every event needs a fetch of its own, and tells which one it is. */

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])\n';

export const subgraphSdl = {
  stock: `${federation}
    type Query { ping: Int }
    type Subscription { stockChanged: Product }
    type Product @key(fields: "id") { id: ID! stock: Int }
  `,
  products: `${federation}
    type Query { product(id: ID!): Product }
    type Product @key(fields: "id") { id: ID! name: String }
  `,
} as const;

export type ShopSubgraph = keyof typeof subgraphSdl;

/** Where its events come from when no subgraph is subscribed at. */
export const field = 'Subscription.stockChanged';
export const streamKey = 'shop:stock';

export const subscription = 'subscription { stockChanged { id stock name } }';

export function nameOf(id: string): string {
  return `Product ${id}, of which the shop has as many as its number says`;
}

/** The event as the subgraph, or the stream, tells it. */
export function eventOf(number: number): { readonly __typename: 'Product'; id: string; stock: number } {
  return { __typename: 'Product', id: String(number), stock: number };
}

/** The number of the event in a payload that is right in all its parts; undefined for any other payload. */
export function numberOf(payload: unknown): number | undefined {
  const { data, errors } = payload as {
    data?: { stockChanged?: Partial<Completed> | null };
    errors?: unknown;
  };
  const { id, stock, name } = data?.stockChanged ?? {};
  const isRight = errors === undefined && stock !== undefined && id === String(stock) && name === nameOf(id);
  return isRight ? stock : undefined;
}

interface Completed {
  readonly id: string;
  readonly stock: number;
  readonly name: string;
}
