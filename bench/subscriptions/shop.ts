/** The graph that all processes of this benchmark share. An event's number is the id and stock of its product, so
 *  that every event needs a fetch of its own and can be identified. */

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])\n';

/** The field of the topic, when events do not come from a subgraph's subscription. */
export const field = 'Subscription.stockChanged';
export const streamKey = 'shop:stock';
export const channel = { prefix: 'shop', topic: 'stock' } as const;

const products = `${federation}
  type Query { product(id: ID!): Product }
  type Product @key(fields: "id") { id: ID! name: String }
`;

export const subgraphSdl = {
  stock: `${federation}
    type Query { ping: Int }
    type Subscription { stockChanged: Product }
    type Product @key(fields: "id") { id: ID! stock: Int }
  `,
  products,
} as const;

/** The same graph for Hive Gateway's event-driven subscriptions. Its supergraph names the topic of a field, and every
 *  gateway that supports the directive takes the events from there. */
export const eventDrivenSubgraphSdl = {
  stock: `
    extend schema
      @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@composeDirective"])
      @link(url: "https://the-guild.dev/mesh/v1.0", import: ["@pubsubOperation"])
      @composeDirective(name: "@pubsubOperation")
    directive @pubsubOperation(pubsubTopic: String!, filterBy: String, result: String) on FIELD_DEFINITION
    type Query { ping: Int }
    type Subscription { stockChanged: Product @pubsubOperation(pubsubTopic: "${channel.topic}") }
    type Product @key(fields: "id") { id: ID! stock: Int }
  `,
  products,
} as const;

export type ShopSubgraph = keyof typeof subgraphSdl;

export const subscription = 'subscription { stockChanged { id stock name } }';

/** The path of the subgraph's WebSocket. */
export const webSocketPath = '/ws';

export function nameOf(id: string): string {
  return `Product ${id}, of which the shop has as many as its number says`;
}

/** A product in a subgraph's response or in an event. */
export interface StockedProduct {
  readonly __typename: 'Product';
  readonly id: string;
  readonly stock: number;
}

export function eventOf(number: number): StockedProduct {
  return { __typename: 'Product', id: String(number), stock: number };
}

/** The number of the event if every part of the payload is correct; otherwise `undefined`. */
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
