import { expect, test } from '@jest/globals';
import { fetchRuleOf } from '../../../../gateway/cache/rules/fetchRule.ts';
import type { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import { configuredRule, entityShape, readRulesOf, rootShape } from '../../../harness/cachedSubgraphs.ts';

const products = `
  type Query {
    top: Product @cached(maxAge: "30s", staleWhileRevalidate: "10s", staleIfError: "1h", tags: ["top"])
    settings: Settings @cached(maxAge: "20s")
    search: [Result!] @cached(maxAge: "15s")
    media: Media @cached(maxAge: "15s")
    me: User @cached(maxAge: "1m")
    never: Int
    off: Int @cached(maxAge: "0s")
    staleOnly: Int @cached(maxAge: "0s", staleIfError: "1m")
    nothing: Empty @cached(maxAge: "9s")
    spot: Spot @cached(maxAge: "9s")
  }
  type Mutation { change: Int @cached(maxAge: "1m") }
  type Subscription { changed: Int @cached(maxAge: "1m") }
  type Product @key(fields: "id") @key(fields: "sku vendor { code }") @cached(maxAge: "1m", staleWhileRevalidate: "5s", tags: ["products"]) {
    id: ID!
    sku: String
    name: String
    price: Int @cached(maxAge: "10s", staleIfError: "1m")
    history: String @cached(maxAge: "1h", staleWhileRevalidate: "1h", staleIfError: "1h")
    size: Size
    vendor: Vendor
    note: String @cached(maxAge: "1m", scope: PRIVATE)
    related: [Product]
  }
  type Size { width: Int unit: Unit }
  type Unit { name: String precision: Int @cached(maxAge: "2s") }
  type Vendor @key(fields: "code") { code: ID! rating: Int }
  type Settings { title: String query: Query inner: Settings }
  union Result = Book | Film | Product
  interface Media { title: String }
  type Book implements Media @key(fields: "id") @cached(maxAge: "14s") { id: ID! title: String pages: Int }
  type Film implements Media @key(fields: "id") @cached(maxAge: "13s") { id: ID! title: String @cached(maxAge: "12s", scope: PRIVATE) length: Int }
  type User @key(fields: "id") @key(fields: "email") @cached(maxAge: "1m", scope: PRIVATE) {
    id: ID!
    email: String
    badge: String @cached(maxAge: "1m", scope: PUBLIC)
  }
  interface Empty { a: Int }
  interface Spot { place: Place }
  type Shop implements Spot @key(fields: "place { code area { zip } }") { place: Place }
  type Depot implements Spot @key(fields: "id") @cached(maxAge: "8s") { id: ID! place: Place }
  type Place { code: ID! label: String area: Area }
  type Area { zip: String city: String }
  type Badge @key(fields: "code") @cached(maxAge: "1m") { code: ID! @cached(maxAge: "4s") text: String }
`;

const inventory = `
  type Product @key(fields: "id") { id: ID! stock: Int weight: Int @cached(maxAge: "3s") }
`;

/** Composed once: the tests only read it. */
const read = readRulesOf({ products, inventory });

const seconds = (fresh: number, revalidate = fresh, fallback = fresh) => ({ fresh, revalidate, fallback });

const cases: readonly {
  name: string;
  shape: FetchShape;
  expected: ReturnType<typeof seconds> | string;
  scope?: string;
  tags?: string[];
}[] = [
  {
    name: 'each duration is the shortest, counted from storing',
    shape: rootShape('products', '{ top { name price } }'),
    // top 30/40/3630, Product 60/65/60, price 10/10/70
    expected: seconds(10, 10, 60),
    tags: ['products', 'top'],
  },
  {
    name: 'a longer rule of one field does not extend the rules of others',
    shape: entityShape('products', '... on Product { history name }'),
    expected: seconds(60, 65, 60),
    tags: ['products'],
  },
  {
    name: '`__typename` and keys do not shorten the rule',
    shape: entityShape('products', '... on Product { __typename id sku vendor { __typename code } history }'),
    expected: seconds(3600, 7200, 7200),
    tags: ['products'],
  },
  {
    name: 'a field of a key object needs a rule if it is not in the key',
    shape: entityShape('products', '... on Product { vendor { code rating } }'),
    expected: 'Vendor.rating has no rule',
  },
  {
    name: 'key fields of a value type within a key need no rule',
    shape: rootShape('products', '{ spot { ... on Shop { place { code area { zip } } } } }'),
    expected: seconds(9),
  },
  {
    name: 'other fields of a value type within a key need a rule',
    shape: rootShape('products', '{ spot { ... on Shop { place { code label } } } }'),
    expected: 'Place.label has no rule',
  },
  {
    name: 'other fields of a value type within a value type within a key need a rule',
    shape: rootShape('products', '{ spot { ... on Shop { place { area { zip city } } } } }'),
    expected: 'Area.city has no rule',
  },
  {
    name: 'a key field with a rule of its own has that rule',
    shape: entityShape('products', '... on Badge { code text }'),
    expected: seconds(4),
  },
  {
    name: 'a field needs a rule if it is covered in only one of its types',
    shape: rootShape('products', '{ spot { place { label } } }'),
    expected: 'Place.label has no rule',
  },
  {
    name: 'a field needs a rule if it is a key field in only one of its types',
    shape: rootShape('products', '{ spot { place { code } } }'),
    expected: 'Place.code has no rule',
  },
  {
    name: 'a fetch of keys only has no rule',
    shape: entityShape('products', '... on Vendor { __typename code }'),
    expected: 'no selected field has a rule',
  },
  {
    name: 'a field without a rule makes the whole fetch uncacheable',
    shape: rootShape('products', '{ top { name } never }'),
    expected: 'Query.never has no rule',
  },
  {
    name: 'the rule of a root field does not apply to an entity below it',
    shape: entityShape('products', '... on Product { vendor { rating } }'),
    expected: 'Vendor.rating has no rule',
  },
  {
    name: 'value types at any depth belong to the field that contains them',
    shape: entityShape('products', '... on Product { size { width unit { name } } }'),
    expected: seconds(60, 65, 60),
    tags: ['products'],
  },
  {
    name: 'a rule within a value type applies',
    shape: entityShape('products', '... on Product { size { width unit { precision } } }'),
    expected: seconds(2),
    tags: ['products'],
  },
  {
    name: 'value types below root fields need no rule',
    shape: rootShape('products', '{ settings { title inner { title } } }'),
    expected: seconds(20),
  },
  {
    name: 'the root type is not a value type',
    shape: rootShape('products', '{ settings { query { never } } }'),
    expected: 'Query.never has no rule',
  },
  {
    name: 'only the selected members of a union count',
    shape: rootShape('products', '{ search { __typename ... on Book { pages } } }'),
    expected: seconds(14),
    // Which Films there are would show.
    tags: ['products'],
  },
  {
    name: 'a field of an interface has the rules of all implementations',
    shape: rootShape('products', '{ media { title } }'),
    expected: seconds(12),
    scope: 'PRIVATE',
  },
  {
    name: 'a type condition narrows the implementations',
    shape: rootShape('products', '{ media { ... on Book { title } } }'),
    expected: seconds(14),
  },
  {
    name: 'one private field makes the fetch private',
    shape: entityShape('products', '... on Product { name note }'),
    expected: seconds(60, 60, 60),
    scope: 'PRIVATE',
    tags: ['products'],
  },
  {
    name: "a private type's key below a public field is private",
    shape: rootShape('products', '{ me { id } }'),
    expected: seconds(60),
    scope: 'PRIVATE',
  },
  {
    name: 'the existence of a private object is private',
    shape: rootShape('products', '{ me { __typename } }'),
    expected: seconds(60),
    scope: 'PRIVATE',
  },
  {
    name: 'another key of a private entity is private',
    shape: entityShape('products', '... on User { email badge }'),
    expected: seconds(60),
    scope: 'PRIVATE',
  },
  {
    name: 'the `__typename` of a fetched private entity is not private',
    shape: entityShape('products', '... on User { __typename badge }'),
    expected: seconds(60),
  },
  {
    name: 'entities below entities count',
    shape: entityShape('products', '... on Product { related { related { price } } }'),
    expected: seconds(10, 10, 60),
    tags: ['products'],
  },
  {
    name: 'aliases and arguments do not change the rule',
    shape: entityShape('products', '... on Product { never: price }'),
    expected: seconds(10, 10, 70),
    tags: ['products'],
  },
  {
    name: 'a maxAge of 0s makes the fetch uncacheable',
    shape: rootShape('products', '{ off }'),
    expected: 'the shortest maxAge is 0s',
  },
  {
    name: 'a maxAge of 0s with a stale period is cacheable',
    shape: rootShape('products', '{ staleOnly }'),
    expected: seconds(0, 0, 60),
  },
  {
    name: 'the rule of a type applies in every subgraph',
    shape: entityShape('inventory', '... on Product { stock }'),
    expected: seconds(60, 65, 60),
    tags: ['products'],
  },
  {
    name: 'a field of a single subgraph has the rule declared there',
    shape: entityShape('inventory', '... on Product { weight stock }'),
    expected: seconds(3),
    tags: ['products'],
  },
  {
    name: 'mutations are uncacheable',
    shape: rootShape('products', 'mutation { change }', 'mutation'),
    expected: 'a mutation is never cached',
  },
  {
    name: 'subscriptions are uncacheable',
    shape: rootShape('products', 'subscription { changed }', 'subscription'),
    expected: 'a subscription is never cached',
  },
  {
    name: 'a field that the supergraph lacks makes the fetch uncacheable',
    shape: rootShape('products', '{ _service { sdl } }'),
    expected: '_service is not in the supergraph',
  },
  {
    name: 'an interface without implementations has its own rule',
    shape: rootShape('products', '{ nothing { a } }'),
    expected: seconds(9),
  },
  {
    name: 'fields in fragments count',
    shape: rootShape('products', '{ top { ...f } } fragment f on Product { price }'),
    expected: seconds(10, 10, 70),
    tags: ['products', 'top'],
  },
];

test.each(cases)('$name', async ({ shape, expected, scope = 'PUBLIC', tags = [] }) => {
  const { rules } = await read;
  const found = fetchRuleOf(shape, rules);
  if (!found.isCacheable) {
    expect(found.reason).toEqual(expected);
    return;
  }
  const { lifetime } = found.rule;
  expect({
    lifetime: seconds(lifetime.freshMs / 1_000, lifetime.revalidateMs / 1_000, lifetime.fallbackMs / 1_000),
    scope: found.rule.scope,
    tags: found.rule.tags,
  }).toEqual({ lifetime: expected, scope, tags });
});

test('the rule of a subgraph covers all of its fields, and none of other subgraphs', async () => {
  const { rules } = await readRulesOf(
    { products, inventory },
    { 'subgraph:products': configuredRule(4_000), Product: configuredRule(60_000) },
  );
  const root = fetchRuleOf(rootShape('products', '{ never top { vendor { rating } } }'), rules);
  expect(root.isCacheable && root.rule.lifetime.freshMs).toBe(4_000);
  const entity = fetchRuleOf(entityShape('inventory', '... on Product { stock }'), rules);
  expect(entity.isCacheable && entity.rule.lifetime.freshMs).toBe(60_000);
});

test('a field has the rules of its type in the subgraph, which may be narrower than in the supergraph', async () => {
  const close = `
    interface Media { title: String }
    type Book implements Media @cached(maxAge: "5s") { title: String @shareable }
    type Query { pick: Book @shareable @cached(maxAge: "1m") }`;
  const wide = `
    interface Media { title: String }
    type Film implements Media { title: String @shareable @cached(maxAge: "1s") }
    type Query { pick: Media @shareable }`;
  const { rules } = await readRulesOf({ close, wide });
  const inClose = fetchRuleOf(rootShape('close', '{ pick { title } }'), rules);
  const inWide = fetchRuleOf(rootShape('wide', '{ pick { title } }'), rules);
  expect(inClose.isCacheable && inClose.rule.lifetime.freshMs).toBe(5_000);
  const conditional = fetchRuleOf(rootShape('close', '{ pick { ... on Media { title } } }'), rules);
  expect(conditional.isCacheable && conditional.rule.lifetime.freshMs).toBe(5_000);
  expect(inWide.isCacheable && inWide.rule.lifetime.freshMs).toBe(1_000);
});

test('an interface object has the rules of its implementations', async () => {
  const media = `
    interface Media @key(fields: "id") { id: ID! }
    type Book implements Media @key(fields: "id") @cached(maxAge: "5s") { id: ID! }
    type Film implements Media @key(fields: "id") @cached(maxAge: "3s") { id: ID! }
    type Query { media: Media }`;
  const ratings = `
    type Media @key(fields: "id") @interfaceObject { id: ID! stars: Int votes: Int @cached(maxAge: "1m") }`;
  const { rules } = await readRulesOf({ media, ratings });
  const stars = fetchRuleOf(entityShape('ratings', '... on Media { __typename stars }'), rules);
  const votes = fetchRuleOf(entityShape('ratings', '... on Media { votes }'), rules);
  expect(stars.isCacheable && stars.rule.lifetime.freshMs).toBe(3_000);
  expect(votes.isCacheable && votes.rule.lifetime.freshMs).toBe(60_000);
});
