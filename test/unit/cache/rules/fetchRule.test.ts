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
  type Area { zip: String }
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
    name: 'each end is the earliest, counted from storing',
    shape: rootShape('products', '{ top { name price } }'),
    // top 30/40/3630, Product 60/65/60, price 10/10/70
    expected: seconds(10, 10, 60),
    tags: ['products', 'top'],
  },
  {
    name: 'a longer rule of a field does not lengthen that of others',
    shape: entityShape('products', '... on Product { history name }'),
    expected: seconds(60, 65, 60),
    tags: ['products'],
  },
  {
    name: '`__typename` and keys do not shorten it',
    shape: entityShape('products', '... on Product { __typename id sku vendor { __typename code } history }'),
    expected: seconds(3600, 7200, 7200),
    tags: ['products'],
  },
  {
    name: 'what is not of a key in an object of a key needs a rule',
    shape: entityShape('products', '... on Product { vendor { code rating } }'),
    expected: 'Vendor.rating has no rule',
  },
  {
    name: 'a value type within a key needs no rule for what is of the key',
    shape: rootShape('products', '{ spot { ... on Shop { place { code area { zip } } } } }'),
    expected: seconds(9),
  },
  {
    name: 'and one for the rest of it',
    shape: rootShape('products', '{ spot { ... on Shop { place { code label } } } }'),
    expected: 'Place.label has no rule',
  },
  {
    name: 'what is covered in one type, and in another is not, needs a rule',
    shape: rootShape('products', '{ spot { place { label } } }'),
    expected: 'Place.label has no rule',
  },
  {
    name: 'what is of the key of one type, and not of another, needs a rule',
    shape: rootShape('products', '{ spot { place { code } } }'),
    expected: 'Place.code has no rule',
  },
  {
    name: 'keys alone have no rule',
    shape: entityShape('products', '... on Vendor { __typename code }'),
    expected: 'nothing that it selects has a rule',
  },
  {
    name: 'a field without a rule makes the whole fetch uncached',
    shape: rootShape('products', '{ top { name } never }'),
    expected: 'Query.never has no rule',
  },
  {
    name: 'a rule of a root field does not hold for an entity below it',
    shape: entityShape('products', '... on Product { vendor { rating } }'),
    expected: 'Vendor.rating has no rule',
  },
  {
    name: 'value types are parts of the field that holds them, at any depth',
    shape: entityShape('products', '... on Product { size { width unit { name } } }'),
    expected: seconds(60, 65, 60),
    tags: ['products'],
  },
  {
    name: 'but a rule within one counts',
    shape: entityShape('products', '... on Product { size { width unit { precision } } }'),
    expected: seconds(2),
    tags: ['products'],
  },
  {
    name: 'value types below root fields',
    shape: rootShape('products', '{ settings { title inner { title } } }'),
    expected: seconds(20),
  },
  {
    name: 'the root type is no value type',
    shape: rootShape('products', '{ settings { query { never } } }'),
    expected: 'Query.never has no rule',
  },
  {
    name: 'every member of a union that is selected counts, and not the others',
    shape: rootShape('products', '{ search { __typename ... on Book { pages } } }'),
    expected: seconds(14),
    // Which Films there are would show.
    tags: ['products'],
  },
  {
    name: 'a field of an interface is that of every type that implements it',
    shape: rootShape('products', '{ media { title } }'),
    expected: seconds(12),
    scope: 'PRIVATE',
  },
  {
    name: 'a condition narrows it',
    shape: rootShape('products', '{ media { ... on Book { title } } }'),
    expected: seconds(14),
  },
  {
    name: 'one private field makes all private',
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
    name: 'whether there is a private object is private',
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
    name: 'the type that an entity was asked for by is not',
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
    name: 'aliases and arguments change nothing',
    shape: entityShape('products', '... on Product { never: price }'),
    expected: seconds(10, 10, 70),
    tags: ['products'],
  },
  { name: '0s is uncached', shape: rootShape('products', '{ off }'), expected: 'the shortest rule is 0s' },
  {
    name: 'unless it may be served stale',
    shape: rootShape('products', '{ staleOnly }'),
    expected: seconds(0, 0, 60),
  },
  {
    name: 'a rule of a type holds in every subgraph that has it',
    shape: entityShape('inventory', '... on Product { stock }'),
    expected: seconds(60, 65, 60),
    tags: ['products'],
  },
  {
    name: 'a field that only one subgraph has has the rule from there',
    shape: entityShape('inventory', '... on Product { weight stock }'),
    expected: seconds(3),
    tags: ['products'],
  },
  {
    name: 'mutations',
    shape: rootShape('products', 'mutation { change }', 'mutation'),
    expected: 'a mutation is never kept',
  },
  {
    name: 'subscriptions',
    shape: rootShape('products', 'subscription { changed }', 'subscription'),
    expected: 'a subscription is never kept',
  },
  {
    name: 'a field that the supergraph does not have',
    shape: rootShape('products', '{ _service { sdl } }'),
    expected: '_service is not in the supergraph',
  },
  {
    name: 'an interface that nothing implements',
    shape: rootShape('products', '{ nothing { a } }'),
    expected: seconds(9),
  },
  {
    name: 'fragments',
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

test('a rule of a subgraph covers all that it brings, and nothing of others', async () => {
  const { rules } = await readRulesOf(
    { products, inventory },
    { 'subgraph:products': configuredRule(4_000), Product: configuredRule(60_000) },
  );
  const root = fetchRuleOf(rootShape('products', '{ never top { vendor { rating } } }'), rules);
  expect(root.isCacheable && root.rule.lifetime.freshMs).toBe(4_000);
  const entity = fetchRuleOf(entityShape('inventory', '... on Product { stock }'), rules);
  expect(entity.isCacheable && entity.rule.lifetime.freshMs).toBe(60_000);
});

test('a subgraph that knows the type of a field more closely than the supergraph', async () => {
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

test('an interface object has the rules of the types that it stands for', async () => {
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
