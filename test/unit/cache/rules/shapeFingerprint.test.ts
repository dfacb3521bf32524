import { expect, test } from '@jest/globals';
import type { CacheRule } from '../../../../gateway/cache/rules/cacheRule.ts';
import { fetchRuleOf } from '../../../../gateway/cache/rules/fetchRule.ts';
import { fingerprintShape } from '../../../../gateway/cache/rules/shapeFingerprint.ts';
import type { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import { entityShape, readRulesOf, rootShape } from '../../../harness/cachedSubgraphs.ts';

const sdl = `
  type Query @cached(maxAge: "1m") {
    top(first: Int = 3, by: Order = NAME, where: Where): [Product!]
    media: Media
    other: Int
  }
  type Product @key(fields: "id") @key(fields: "id kind") @cached(maxAge: "1m", tags: ["products"]) { id: ID! name: String kind: Kind text: String }
  enum Kind { LARGE SMALL }
  enum Order { NAME PRICE }
  input Where { name: String = "x" and: Where limit: Limit }
  input Limit { most: Int = 5 }
  interface Media { title: String }
  type Book implements Media @cached(maxAge: "1m") { title: String }
  type Film implements Media @cached(maxAge: "1m") { title: String }
`;

async function fingerprint(shop: string, shape: FetchShape): Promise<string> {
  const { rules } = await readRulesOf({ shop });
  const found = fetchRuleOf(shape, rules);
  if (!found.isCacheable) throw new Error(found.reason);
  return fingerprintShape(shape, rules, found.rule satisfies CacheRule);
}

const top = rootShape('shop', '{ top { name kind } }');
const media = rootShape('shop', '{ media { title } }');
const entity = entityShape('shop', '... on Product { name }');

test.each<[string, FetchShape, string, string]>([
  ['a field that is not selected', top, 'text: String', 'text: Int more: Int'],
  ['a field of another type', top, 'other: Int', 'other: String'],
  ['descriptions', top, 'type Product', '"Things." type Product'],
  ['the order of fields', top, 'name: String kind: Kind', 'kind: Kind name: String'],
  ['the order of fields in a key', top, '"id kind"', '"kind id"'],
  ['the order of enum values', top, 'LARGE SMALL', 'SMALL LARGE'],
  ['a longer rule', top, '@cached(maxAge: "1m", tags', '@cached(maxAge: "2m", tags'],
  ['another type', entity, 'input Limit { most: Int = 5 }', 'input Limit { most: Int = 6 }'],
])('responses stored under an older supergraph are used after a change of %s', async (_, shape, from, to) => {
  expect(sdl).toContain(from);
  expect(await fingerprint(sdl.replace(from, to), shape)).toBe(await fingerprint(sdl, shape));
});

test.each<[string, FetchShape, string, string]>([
  ['the type of a field', top, 'name: String kind', 'name: Int kind'],
  ['whether a field may be null', top, 'name: String kind', 'name: String! kind'],
  ['whether an element may be null', top, '[Product!]', '[Product]'],
  ['the values of an enum', top, 'LARGE SMALL', 'LARGE SMALL TINY'],
  ['the default of an argument', top, 'first: Int = 3', 'first: Int = 4'],
  ['the type of an argument', top, 'first: Int = 3', 'first: Int! = 3'],
  ['a further argument', top, 'first: Int = 3', 'first: Int = 3, last: Int = 1'],
  ['the values of an argument', top, 'NAME PRICE', 'NAME PRICE AGE'],
  ['a default within an argument', top, '= "x"', '= "y"'],
  ['a default deep within an argument', top, 'most: Int = 5', 'most: Int = 6'],
  ['the tags', top, 'tags: ["products"]', 'tags: ["products", "more"]'],
  [
    'the types that an interface stands for',
    media,
    'type Film',
    'type Game implements Media @cached(maxAge: "1m") { title: String } type Film',
  ],
  ['the field of an entity', entity, 'name: String kind', 'name: Int kind'],
  ['the keys of an entity', entity, '@key(fields: "id")', '@key(fields: "id") @key(fields: "id text")'],
  ['the keys of a nested entity', top, '@key(fields: "id")', '@key(fields: "id") @key(fields: "id text")'],
])(
  'responses stored under an older supergraph are not used after a change of %s',
  async (_, shape, from, to) => {
    expect(sdl).toContain(from);
    expect(await fingerprint(sdl.replace(from, to), shape)).not.toBe(await fingerprint(sdl, shape));
  },
);
