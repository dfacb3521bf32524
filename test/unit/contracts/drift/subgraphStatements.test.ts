import { expect, test } from '@jest/globals';
import {
  diffSubgraphStatements,
  readSubgraphStatements,
} from '../../../../contracts/drift/subgraphStatements.ts';
import { composeSupergraph } from '../../../../gateway/supergraph/composeSupergraph.ts';

const federation =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires", "@shareable"])\n';
const shop = `type Query { product(id: ID!, size: Size = SMALL): Product search(by: Filter): [Found] }
type Product implements Named @key(fields: "id") { id: ID! name: String @shareable weight: Int }
type Shelf implements Named { name: String }
interface Named { name: String }
union Found = Product | Shelf
enum Size { SMALL LARGE }
input Filter { name: String }`;
const shipping =
  'type Product @key(fields: "id") { id: ID! weight: Int @external estimate: Int @requires(fields: "weight") }';

async function knowledge(shopSdl: string, shippingSdl = shipping, url = 'http://shop.test') {
  const composed = await composeSupergraph([
    { name: 'shop', url, sdl: federation + shopSdl },
    { name: 'shipping', url: 'http://shipping.test', sdl: federation + shippingSdl },
  ]);
  if (!('sdl' in composed)) throw new Error(composed.errors.map(({ message }) => message).join('\n'));
  return readSubgraphStatements(composed.sdl);
}

async function differences(
  shopSdl: string,
  shippingSdl?: string,
): Promise<Record<string, readonly string[]>> {
  return Object.fromEntries(
    diffSubgraphStatements(await knowledge(shop), await knowledge(shopSdl, shippingSdl)),
  );
}

test.each([
  ['a field', shop.replace('type Shelf implements Named {', '$& width: Int'), ['Shelf.width']],
  ["a field's type", shop.replace('[Found]', '[Found!]'), ['Query.search']],
  ['an argument', shop.replace('product(id: ID!,', '$& old: Boolean'), ['Query.product']],
  ['a default value', shop.replace('= SMALL', '= LARGE'), ['Query.product']],
  ['a key', shop.replace('@key(fields: "id")', '$& @key(fields: "name")'), ['Product']],
  ['an enum value', shop.replace('SMALL LARGE', 'SMALL LARGE HUGE'), ['Size.HUGE']],
  ['a member of a union', shop.replace('Product | Shelf', 'Product'), ['Found']],
  ['an interface', shop.replace('Shelf implements Named', 'Shelf'), ['Shelf']],
  ['a field of an input', shop.replace('input Filter {', '$& size: Size'), ['Filter.size']],
])('%s is a statement about the subgraph that has it', async (_what, changed, coordinates) => {
  expect(changed).not.toBe(shop);
  expect(await differences(changed)).toEqual({ shop: coordinates });
});

test('a @requires is a statement about the subgraph that has it', async () => {
  const wider = shipping
    .replace('"weight"', '"weight name"')
    .replace('weight: Int', 'name: String @external $&');
  expect(await differences(shop, wider)).toEqual({ shipping: ['Product.estimate', 'Product.name'] });
});

test('statements ignore order, descriptions, extensions and URLs', async () => {
  const same = `"Everything." type Query { search(by: Filter): [Found] product(size: Size = SMALL, id: ID!): Product }
input Filter { name: String } enum Size { LARGE SMALL } union Found = Shelf | Product
interface Named { "How it is called." name: String }
extend type Product implements Named @key(fields: "id") { weight: Int name: String @shareable id: ID! }
type Shelf implements Named { name: String }`;
  expect(
    diffSubgraphStatements(await knowledge(shop), await knowledge(same, shipping, 'http://elsewhere.test')),
  ).toEqual(new Map());
});

test('a subgraph in only one supergraph differs in every coordinate', () => {
  const found = diffSubgraphStatements(new Map([['shop', new Map([['Query.product', 'said']])]]), new Map());
  expect(found).toEqual(new Map([['shop', ['Query.product']]]));
});
