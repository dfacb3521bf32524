import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { readCachedDirectives } from '../../../../gateway/cache/rules/cachedDirectives.ts';
import { readCacheRules } from '../../../../gateway/cache/rules/cacheRules.ts';
import {
  composeCachedDocument,
  configuredRule,
  directiveImports,
  readRulesOf,
  withCached,
} from '../../../harness/cachedSubgraphs.ts';

const minute = 60_000;

test.each(Object.entries(directiveImports))('a %s import of @cached counts', async (_, way) => {
  const { name } = way;
  const document = await composeCachedDocument({
    shop: withCached(
      `type Query { top: Product @${name}(maxAge: "5s") }
       type Product @key(fields: "id") @${name}(maxAge: "1m", staleWhileRevalidate: "30s", staleIfError: "1h", scope: PRIVATE, tags: ["b", "a", "b"]) { id: ID! }`,
      way,
    ),
  });
  expect(Object.fromEntries(readCachedDirectives(document).rules)).toEqual({
    'Query.top': {
      maxAgeMs: 5_000,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      scope: undefined,
      tags: [],
    },
    Product: {
      maxAgeMs: minute,
      staleWhileRevalidateMs: 30_000,
      staleIfErrorMs: 60 * minute,
      scope: 'PRIVATE',
      tags: ['a', 'b'],
    },
  });
});

test.each([
  ['another specification', '@link(url: "https://example.test/spec/v1.0", import: ["@cached"])'],
  ['another major version', '@link(url: "https://tributary.dev/spec/v2.0", import: ["@cached"])'],
  ['a longer address', '@link(url: "https://tributary.dev/spec/more/v1.0", import: ["@cached"])'],
  ['an import of something else', '@link(url: "https://tributary.dev/spec/v1.0", import: ["@enrichment"])'],
  ['no link', ''],
])('with %s, @cached is an unrelated directive', (_, link) => {
  const document = parse(
    `schema ${link} @other { query: Query } type Query { a: Int @cached(maxAge: "5s") }`,
  );
  expect(readCachedDirectives(document)).toEqual({ rules: new Map(), problems: [] });
});

const linked = (sdl: string) =>
  parse(`schema @link(url: "https://tributary.dev/spec/v1.0", import: ["@cached"]) { query: Query } ${sdl}`);

test('several rules at one coordinate are combined: the shorter of each duration, private if one is, all tags', () => {
  const document = linked(`type Query {
    a: Int
      @cached(maxAge: "10s", staleWhileRevalidate: "5s", staleIfError: "10s", tags: ["b"])
      @cached(maxAge: "4s", staleWhileRevalidate: "20s", scope: PRIVATE, tags: ["a"])
  }`);
  expect(readCachedDirectives(document).rules.get('Query.a')).toEqual({
    maxAgeMs: 4_000,
    staleWhileRevalidateMs: 11_000,
    staleIfErrorMs: 0,
    scope: 'PRIVATE',
    tags: ['a', 'b'],
  });
});

test.each([
  ['maxAge: "5 sec"', 'maxAge of @cached is "5 sec"; expected a duration'],
  ['maxAge: "-5s"', 'maxAge of @cached is "-5s"; expected a duration'],
  ['maxAge: ""', 'maxAge of @cached is ""; expected a duration'],
  ['maxAge: "1000h"', 'maxAge of @cached is "1000h"; expected a duration'],
  ['maxAge: 5', 'maxAge of @cached is 5; expected a duration'],
  ['maxAge: null', 'maxAge of @cached is missing; expected a duration'],
  ['', 'maxAge of @cached is missing; expected a duration'],
  ['maxAge: "1s", staleWhileRevalidate: "x"', 'staleWhileRevalidate of @cached is "x"; expected a duration'],
  ['maxAge: "1s", staleIfError: "-1m"', 'staleIfError of @cached is "-1m"; expected a duration'],
  ['maxAge: "1s", scope: SHARED', 'scope of @cached is SHARED; expected PUBLIC or PRIVATE'],
  ['maxAge: "1s", tags: [" "]', 'tags of @cached is [" "]; expected a list of strings'],
  ['maxAge: "1s", tags: ["a\\u0000b"]', 'tags of @cached is ["a\\u0000b"]; expected a list of strings'],
])('an invalid @cached(%s) is reported with its coordinate and value', (given, message) => {
  const use = given === '' ? '@cached' : `@cached(${given})`;
  const { rules, problems } = readCachedDirectives(
    linked(`type Query { a: Int } type Product ${use} { stock: Int ${use} }`),
  );
  expect(problems).toEqual([
    expect.stringContaining(`Product: ${message}`),
    expect.stringContaining(`Product.stock: ${message}`),
  ]);
  expect(rules).toEqual(new Map());
});

test('null arguments are treated like omitted ones', () => {
  const { rules, problems } = readCachedDirectives(
    linked('type Query { a: Int @cached(maxAge: "1s", staleIfError: null, scope: null, tags: null) }'),
  );
  expect(problems).toEqual([]);
  expect(rules.get('Query.a')).toEqual({
    maxAgeMs: 1_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    scope: undefined,
    tags: [],
  });
});

test('a supergraph that links to the specification without using it has no problems', async () => {
  const { problems, unknown } = await readRulesOf({ shop: 'type Query { a: Int }' });
  expect([problems, unknown]).toEqual([[], []]);
});

const shop = {
  shop: `
    type Query { top: Product, me: User }
    interface Named { name: String @cached(maxAge: "7s") }
    type Product implements Named @key(fields: "id") @cached(maxAge: "1m", tags: ["products"]) {
      id: ID!
      name: String
      price: Int @cached(maxAge: "10s", staleIfError: "1m", tags: ["prices"])
      text: String
    }
    type User @key(fields: "id") @cached(maxAge: "1m", scope: PRIVATE) {
      id: ID!
      nick: String @cached(maxAge: "5m")
      badge: String @cached(maxAge: "5m", scope: PUBLIC)
    }
    type Plain @key(fields: "id") { id: ID! text: String }
    union Thing = Product | Plain
    extend type Query { things: [Thing], plain: Plain }`,
};

const cases = [
  {
    name: 'the rule of the type',
    of: 'Product.text',
    rules: {},
    rule: { fresh: 60, revalidate: 60, fallback: 60, scope: 'PUBLIC', tags: ['products'] },
  },
  {
    name: 'the rule of the field, even if it is longer, with the tags of the type',
    of: 'Product.price',
    rules: { Product: configuredRule(1_000) },
    rule: { fresh: 10, revalidate: 10, fallback: 70, scope: 'PUBLIC', tags: ['prices', 'products'] },
  },
  {
    name: "the interface's rule of the field before that of the type",
    of: 'Product.name',
    rules: {},
    rule: { fresh: 7, revalidate: 7, fallback: 7, scope: 'PUBLIC', tags: ['products'] },
  },
  {
    name: 'the scope of a private type for a field with a longer duration',
    of: 'User.nick',
    rules: {},
    rule: { fresh: 300, revalidate: 300, fallback: 300, scope: 'PRIVATE', tags: [] },
  },
  {
    name: 'the scope PUBLIC of a field of a private type',
    of: 'User.badge',
    rules: {},
    rule: { fresh: 300, revalidate: 300, fallback: 300, scope: 'PUBLIC', tags: [] },
  },
  { name: 'no rule', of: 'Plain.text', rules: {}, rule: undefined },
  {
    name: 'the rule of the subgraph for a field without a rule',
    of: 'Plain.text',
    rules: { 'subgraph:shop': configuredRule(2_000, { staleWhileRevalidate: 3_000, tags: ['shop'] }) },
    rule: { fresh: 2, revalidate: 5, fallback: 2, scope: 'PUBLIC', tags: ['shop'] },
  },
  {
    name: 'the durations of the narrower rule with the scope and tags of the subgraph',
    of: 'Product.text',
    rules: { 'subgraph:shop': configuredRule(2_000, { scope: 'PRIVATE', tags: ['shop'] }) },
    rule: { fresh: 60, revalidate: 60, fallback: 60, scope: 'PRIVATE', tags: ['products', 'shop'] },
  },
  {
    name: 'the durations of the configuration with the tags of the directive',
    of: 'Product.price',
    rules: { 'Product.price': configuredRule(3_000) },
    rule: { fresh: 3, revalidate: 3, fallback: 3, scope: 'PUBLIC', tags: ['prices', 'products'] },
  },
  {
    name: 'tags of the configuration instead of those of the directive',
    of: 'Product.text',
    rules: { Product: configuredRule(3_000, { tags: ['z'] }) },
    rule: { fresh: 3, revalidate: 3, fallback: 3, scope: 'PUBLIC', tags: ['z'] },
  },
  {
    name: 'the scope of the directive if the configuration has none',
    of: 'User.id',
    rules: { User: configuredRule(3_000) },
    rule: { fresh: 3, revalidate: 3, fallback: 3, scope: 'PRIVATE', tags: [] },
  },
  {
    name: 'the scope of the configuration',
    of: 'User.id',
    rules: { User: configuredRule(3_000, { scope: 'PUBLIC' }) },
    rule: { fresh: 3, revalidate: 3, fallback: 3, scope: 'PUBLIC', tags: [] },
  },
  {
    name: 'the rule of a union for members without one',
    of: 'Plain.text',
    rules: { Thing: configuredRule(4_000) },
    rule: { fresh: 4, revalidate: 4, fallback: 4, scope: 'PUBLIC', tags: [] },
  },
] as const;

test.each(cases)('what holds for a field: $name', async ({ of, rules, rule }) => {
  const read = (await readRulesOf(shop, rules)).rules;
  const [typeName = '', field = ''] = of.split('.');
  const type = read.graph.types.get(typeName);
  if (type === undefined) throw new Error(typeName);
  const found = read.ruleForField(type, field, 'shop');
  expect(
    found && {
      fresh: found.lifetime.freshMs / 1_000,
      revalidate: found.lifetime.revalidateMs / 1_000,
      fallback: found.lifetime.fallbackMs / 1_000,
      scope: found.scope,
      tags: found.tags,
    },
  ).toEqual(rule);
});

test('every name in the configuration that the supergraph lacks is listed', async () => {
  const { unknown, rules } = await readRulesOf(shop, {
    Product: configuredRule(1),
    'Product.price': configuredRule(1),
    'subgraph:shop': configuredRule(1),
    Produkt: configuredRule(1),
    'Product.prize': configuredRule(1),
    'Thing.name': configuredRule(1),
    'subgraph:shopp': configuredRule(1),
    CacheScope: configuredRule(1),
    constructor: configuredRule(1),
    'a b': configuredRule(1),
  });
  expect(unknown).toEqual([
    {
      key: 'Produkt',
      reason: 'there is no object type, interface or union Produkt; did you mean `Product`?',
    },
    { key: 'Product.prize', reason: 'Product has no field prize; did you mean `price`?' },
    { key: 'Thing.name', reason: 'Thing has no field name' },
    { key: 'subgraph:shopp', reason: 'there is no subgraph "shopp"; did you mean `shop`?' },
    { key: 'CacheScope', reason: 'there is no object type, interface or union CacheScope' },
    { key: 'constructor', reason: 'there is no object type, interface or union constructor' },
    { key: 'a b', reason: '"a b" is not a type, field or subgraph' },
  ]);
  expect(rules.graph.subgraphs).toEqual(new Set(['shop']));
});

test('rules on mutations and subscriptions, of the configuration and of directives, are listed as without effect', async () => {
  const sdl = `
    type Query { a: Int }
    type Mutation { a: Int @cached(maxAge: "5s") b: Int }
    type Subscription { a: Int }`;
  const rule = configuredRule(1);
  const configured = { 'Mutation.b': rule, Subscription: rule, 'Query.a': rule };
  const { problems, unknown, warnings } = await readRulesOf({ shop: sdl }, configured);
  expect([problems, unknown]).toEqual([[], []]);
  const reason = 'a cache rule has no effect here, because mutations and subscriptions are never cached';
  expect(warnings).toEqual([`Mutation.a: ${reason}`, `Mutation.b: ${reason}`, `Subscription: ${reason}`]);
});

test('the rules of the configuration apply to a Federation 1 supergraph', () => {
  const document = parse(`
    schema @core(feature: "https://specs.apollo.dev/core/v0.1") @core(feature: "https://specs.apollo.dev/join/v0.1") { query: Query }
    enum join__Graph { A @join__graph(name: "a" url: "http://127.0.0.1/") }
    type Query { top: Product @join__field(graph: A) }
    type Product @join__owner(graph: A) @join__type(graph: A, key: "id") { id: ID! name: String }`);
  const { problems, unknown, rules } = readCacheRules(document, { Product: configuredRule(1_000) });
  const product = rules.graph.types.get('Product');
  expect([problems, unknown]).toEqual([[], []]);
  expect(product && rules.ruleForField(product, 'name', 'a')?.lifetime.freshMs).toBe(1_000);
});
