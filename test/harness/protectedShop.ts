import type { ReadIdentity } from '../../gateway/admission/identity.ts';
import type { Claims } from '../../gateway/execution/requestContext.ts';
import { defineExtension, type GatewayDependencies, type GatewayOptions } from '../../gateway/gateway.ts';
import {
  type Answer,
  type InlineGateway,
  type InlineSubgraph,
  type RunningInlineSubgraph,
  startInlineGateway,
} from './inlineGateway.ts';

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requires", "@external", "@shareable", "@interfaceObject", "@context", "@fromContext", "@authenticated", { name: "@requiresScopes", as: "@scoped" }, "@policy"])\n';

const media = [
  { __typename: 'Book', id: 'b1', title: 'Emma', pages: 474 },
  { __typename: 'Film', id: 'f1', title: 'Alien', minutes: 117 },
  { __typename: 'Draft', id: 'd1', title: 'Untitled', note: 'n1' },
];

const found = [
  { __typename: 'Product', id: 'p1' },
  { __typename: 'Vault', id: 'v1', content: 'gold' },
  { __typename: 'Film', id: 'f1', title: 'Alien', minutes: 117 },
];

const productNames: Readonly<Record<string, string>> = { p1: 'Pan', p2: 'Pot' };

const byId = ({ id }: { id: string }) => media.find((each) => each.id === id);

/** A catalog with something protected of every kind, and reviews that extend it. */
const subgraphs: readonly InlineSubgraph[] = [
  {
    name: 'catalog',
    link,
    sdl: `
      type Query {
        product(id: ID!): Product
        products: [Product!]!
        me: User @authenticated
        media: [Media]
        search: [Found]
        vault: Vault
        site: Site
        ledger: Ledger
        notice: Notice
      }
      type Subscription { changed: Product audited: Product @authenticated }
      type Mutation {
        rename(name: String!): String
        refund(cents: Int!): Int @scoped(scopes: [["refund"]])
      }
      type User @key(fields: "id") { id: ID! name: String }
      type Product @key(fields: "id") {
        id: ID!
        name: String
        cost: Int @scoped(scopes: [["cost"], ["shop", "admin"]])
        margin: Float! @scoped(scopes: [["cost"]])
        price: Money
        grade: Grade
        code(for: Grade): String @policy(policies: [["codes"]])
        owner: User
      }
      type Ledger @key(fields: "code") { code: ID @authenticated }
      type Notice { text: String secret: String @authenticated }
      scalar Money @scoped(scopes: [["money"]])
      enum Grade @authenticated { A B }
      interface Media @key(fields: "id") { id: ID! title: String }
      type Book implements Media @key(fields: "id") { id: ID! title: String @authenticated pages: Int }
      type Film implements Media @key(fields: "id") { id: ID! title: String minutes: Int }
      type Draft implements Media @key(fields: "id") @scoped(scopes: [["draft"]]) { id: ID! title: String note: String }
      union Found = Product | Vault | Film
      type Vault @scoped(scopes: [["vault"]]) { id: ID! content: String! }
      type Site @context(name: "site") { theme: String @authenticated pages: [Page!]! }
      type Page @key(fields: "id") { id: ID! css(theme: String @fromContext(field: "$site { theme }")): String @authenticated }
    `,
    resolvers: {
      Query: {
        product: (_: never, { id }: { id: string }) => ({ id }),
        products: () => [{ id: 'p1' }, { id: 'p2' }],
        me: () => ({ id: 'u1', name: 'Ada' }),
        media: () => media,
        search: () => found,
        vault: () => found[1],
        notice: () => ({ text: 'open', secret: 'code 7' }),
        ledger: () => ({ code: 'l1' }),
        site: () => ({ theme: 'dark', pages: [{ id: 'page' }] }),
      },
      Mutation: {
        rename: (_: never, { name }: { name: string }) => name,
        refund: (_: never, { cents }: { cents: number }) => cents,
      },
      Product: {
        name: ({ id }: { id: string }) => productNames[id] ?? `Product ${id}`,
        cost: () => 7,
        margin: () => 0.5,
        price: () => '9 €',
        grade: () => 'A',
        code: () => 'c0de',
        owner: () => ({ id: 'u1', name: 'Ada' }),
      },
      Media: { __resolveReference: byId },
      Book: { __resolveReference: byId },
      Film: { __resolveReference: byId },
      Draft: { __resolveReference: byId },
      Page: { css: (_: never, { theme }: { theme: string }) => `theme ${theme}` },
    },
  },
  {
    name: 'reviews',
    link,
    sdl: `
      type Query { topMedia(id: ID = "b1"): Media }
      type Media @key(fields: "id") @interfaceObject {
        id: ID!
        rating: Int
        reviews: [String] @scoped(scopes: [["reviews"]])
      }
      type Product @key(fields: "id") {
        id: ID!
        cost: Int @external
        stock: Int
        hint: String @authenticated
        tip: Tip
        secretTip: String @authenticated
        label: String
        secretLabel: String @authenticated
        discount: Int @requires(fields: "cost") @scoped(scopes: [["cost"], ["shop", "admin"]])
      }
      type Ledger @key(fields: "code") { code: ID total: String }
      type Tip { text: String author: String @authenticated }
    `,
    resolvers: {
      Query: { topMedia: (_: never, { id }: { id: string }) => ({ id }) },
      Ledger: { total: ({ code }: { code: string }) => `total of ${code}` },
      Media: { rating: () => 5, reviews: () => ['fine'] },
      Product: {
        stock: () => 3,
        hint: () => 'buy',
        tip: () => ({ text: 'now', author: 'Bo' }),
        secretTip: () => 'later',
        label: () => 'blue',
        secretLabel: () => 'red',
        discount: ({ cost }: { cost: number }) => cost * 2,
      },
    },
  },
];

/** Identities of the requests by name. The header `x-client` names one. */
export const clients: Readonly<Record<string, Claims>> = {
  reader: { sub: 'reader', scope: '' },
  accountant: { sub: 'accountant', scope: 'cost money' },
  manager: { sub: 'manager', scp: ['shop', 'admin'] },
  keeper: { sub: 'keeper', scope: 'vault', scp: 'draft reviews' },
  clerk: { sub: 'clerk', scope: 'refund' },
  coder: { sub: 'coder', policies: ['codes'] },
  broken: { sub: 'broken', policies: 'broken' },
  /** A token that identifies no user. */
  device: { scope: '' },
};

/** Grants the policies that a token names. */
const policiesOfToken = defineExtension({
  name: 'policies-of-token',
  decidePolicies: ({ policies, claims }) => {
    if (claims?.policies === 'broken') throw new Error('no directory');
    const granted = Array.isArray(claims?.policies) ? claims.policies : [];
    return policies.filter((policy) => granted.includes(policy));
  },
});

const readIdentity: ReadIdentity = (headers) => {
  const name = headers.get('x-client');
  const claims = name === undefined ? undefined : clients[name];
  return {
    claims,
    identity: claims?.sub === undefined ? undefined : name,
    tokenOwner: claims && name,
    clientKey: name ?? '',
  };
};

export interface ProtectedShop extends AsyncDisposable {
  readonly gateway: InlineGateway;
  readonly catalog: RunningInlineSubgraph;
  readonly reviews: RunningInlineSubgraph;
  /** Executes an operation for one of `clients`, or for one without a token. */
  execute(query: string, client?: string, variables?: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** The calls since the last time, each as `subgraph: query`, sorted. */
  takeCalls(): readonly string[];
}

interface ProtectedShopOptions {
  readonly config?: Partial<GatewayOptions>;
  readonly dependencies?: GatewayDependencies;
  readonly transformSupergraph?: (sdl: string) => string;
  /** Whether the gateway reloads a changed supergraph file. */
  readonly isWatching?: boolean;
}

export async function startProtectedShop(options: ProtectedShopOptions = {}): Promise<ProtectedShop> {
  const { dependencies, ...others } = options;
  const gateway = await startInlineGateway({
    ...others,
    subgraphs,
    config: {
      extensions: [policiesOfToken],
      cache: {
        rules: {
          'Product.label': { maxAge: '1m' },
          'Product.secretLabel': { maxAge: '1m' },
          'Query.notice': { maxAge: '1m' },
        },
      },
      enrichment: {
        mode: 'always',
        budget: '0ms',
        fields: { 'Product.tip': {}, 'Product.secretTip': {} },
        jobs: { backoff: { base: '1ms', max: '1ms' } },
      },
      // A failed call fails the first attempt of a job.
      subgraphs: { all: { retry: { enabled: false } } },
      subscriptions: {
        topics: {
          'Subscription.changed': { topic: 'changed' },
          'Subscription.audited': { topic: 'audited' },
        },
      },
      ...others.config,
    },
    dependencies: { readIdentity, ...dependencies },
  });
  const names = ['catalog', 'reviews'] as const;
  return {
    gateway,
    catalog: gateway.subgraph('catalog'),
    reviews: gateway.subgraph('reviews'),
    execute: (query, client, variables = {}) =>
      gateway.execute(query, { variables, headers: client === undefined ? {} : { 'x-client': client } }),
    takeCalls: () =>
      names
        .flatMap((name) => {
          const subgraph = gateway.subgraph(name);
          const calls = subgraph.calls.map(({ query }) => `${name}: ${query}`);
          subgraph.reset();
          return calls;
        })
        .sort(),
    [Symbol.asyncDispose]: () => gateway.close(),
  };
}
