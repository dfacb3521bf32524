import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from '@jest/globals';
import { checkFetch } from '../../../../contracts/graph/checkFetch.ts';
import { checkPlanCompatibility } from '../../../../contracts/graph/checkPlanCompatibility.ts';
import { subgraphSchemaOf } from '../../../../contracts/graph/subgraphSchema.ts';
import { supergraphMetadataOf } from '../../../../contracts/graph/supergraphMetadata.ts';
import { ComposedGraphs, operationsOf } from './testContracts.ts';

type Sdls = Readonly<Record<string, string>>;

const products = `
  type Query { product(id: ID!, in: Currency): Product products(by: By): [Product!]! node: Node }
  type Product implements Node @key(fields: "id") @key(fields: "sku") {
    id: ID! sku: ID! name: String! weight: Float @shareable size: Float @shareable state: State
    price(in: Currency): Int @shareable
  }
  interface Node { id: ID! }
  input By { name: String state: State }
  enum State { NEW OLD }
  enum Currency { EUR USD }
`;
const stock = `
  type Product @key(fields: "id") {
    id: ID!
    weight: Float @external
    size: Float @external
    price(in: Currency): Int @external
    shipping: Float @requires(fields: "weight")
    dear: Boolean @requires(fields: "price(in: EUR)")
    parcel: Float @requires(fields: "size weight")
  }
  enum Currency { EUR USD }
`;
const reviews = `
  type Query { top: Review }
  type Product @key(fields: "sku") { sku: ID! reviews: [Review!] }
  type Review @key(fields: "id") { id: ID! text: String }
`;
const base: Sdls = { products, stock, reviews };

const graphs = new ComposedGraphs();
afterAll(() => graphs[Symbol.asyncDispose]());

async function contracts(old: Sdls, next: Sdls, text: string) {
  const operations = operationsOf(text);
  const gateway = await graphs.plan(old, operations);
  return checkPlanCompatibility(gateway, gateway.graph, await graphs.plan(next, operations));
}

/** The kinds of problems of old and of new plans, by subgraph. */
async function kinds(old: Sdls, next: Sdls, text: string) {
  return (await contracts(old, next, text)).map(({ subgraph, oldPlanProblems, newPlanProblems }) => [
    subgraph,
    oldPlanProblems.map(({ kind }) => kind),
    newPlanProblems.map(({ kind }) => kind),
  ]);
}

const change = (name: string, from: string, to: string): Sdls => {
  const sdl = base[name] as string;
  expect(sdl).toContain(from);
  return { ...base, [name]: sdl.replace(from, to) };
};

describe('checkPlanCompatibility', () => {
  test('reports that old plans do not send the fields that a widened @requires adds', async () => {
    const found = await contracts(
      base,
      change('stock', '@requires(fields: "weight")', '@requires(fields: "weight size")'),
      'query P { product(id: 1) { shipping } }',
    );
    expect(found).toEqual([
      {
        operation: expect.objectContaining({ name: 'P' }),
        subgraph: 'stock',
        oldPlanProblems: [
          {
            kind: 'missing input',
            isCertain: true,
            message:
              'subgraph "stock" computes Product.shipping from "weight size", but does not receive size',
            coordinates: ['Product.shipping'],
          },
        ],
        lastingProblems: [],
        newPlanProblems: [],
      },
    ]);
  });

  test('reports changed arguments in a @requires for gateways with either supergraph', async () => {
    const next = change('stock', 'price(in: EUR)', 'price(in: USD)');
    const found = await contracts(base, next, 'query P { product(id: 1) { dear } }');
    expect(found).toMatchObject([
      {
        oldPlanProblems: [
          { kind: 'missing input', message: expect.stringContaining('other values of Product.price(in:)') },
        ],
        newPlanProblems: [
          { kind: 'missing input', message: expect.stringContaining('other values of Product.price(in:)') },
        ],
      },
    ]);
  });

  test('reports values that the new subgraph refuses and its own supergraph accepts as lasting', async () => {
    const shared = `${reviews} enum State { NEW OLD } input By { name: String state: State }`;
    const old = { ...base, reviews: shared.replace('top: Review', 'top(by: By): Review') };
    const next = { ...old, products: products.replace('input By {', 'input By @oneOf {') };
    const found = await contracts(old, next, 'query P { products(by: { name: "a", state: NEW }) { id } }');
    const message =
      'subgraph "products" refuses the request: OneOf Input Object "By" must specify exactly one key.';
    expect(found).toMatchObject([
      {
        oldPlanProblems: [{ kind: 'invalid', message, coordinates: ['By'] }],
        lastingProblems: [{ message }],
        newPlanProblems: [],
      },
    ]);
  });

  test('reports a new @requires on a field of an entity fetch', async () => {
    const plain = { ...base, stock: stock.replace(' @requires(fields: "weight")', '') };
    expect(await kinds(plain, base, 'query P { product(id: 1) { shipping } }')).toEqual([
      ['stock', ['missing input'], []],
    ]);
    // In the other direction, new gateways would send too little.
    expect(await kinds(base, plain, 'query P { product(id: 1) { shipping } }')).toEqual([
      ['stock', [], ['missing input']],
    ]);
  });

  test('reports a new @requires below a root field, where no representation is sent', async () => {
    const direct = {
      ...base,
      stock: `${stock.replace('@requires(fields: "weight")', '')} type Query { heaviest: Product }`,
    };
    const computed = { ...base, stock: `${stock} type Query { heaviest: Product }` };
    expect(await kinds(direct, computed, 'query P { heaviest { shipping } }')).toEqual([
      ['stock', ['missing input'], []],
    ]);
  });

  test.each([
    ['shipping', 'shipping: Float @requires(fields: "weight")', ''],
    ['the subgraph', undefined, ''],
  ])('reports the refused operation when %s and its inputs are removed', async (_, from, to) => {
    const { stock: _removed, ...without } = base;
    const next = from === undefined ? without : change('stock', from, to);
    expect(await kinds(base, next, 'query P { product(id: 1) { shipping } }')).toEqual([
      ['stock', [from === undefined ? 'no subgraph' : 'invalid'], []],
    ]);
  });

  test('reports a removed key only when a plan uses it', async () => {
    const text = 'query P { product(id: 1) { name } } query Q { product(id: 1) { shipping } }';
    const two = change(
      'stock',
      'type Product @key(fields: "id") {',
      'type Product @key(fields: "id") @key(fields: "sku") { sku: ID!',
    );
    expect(await kinds(two, base, text)).toEqual([['stock', [], []]]);
    expect(await kinds(base, two, text)).toEqual([['stock', [], []]]);
    const other = {
      ...base,
      stock: stock.replace('@key(fields: "id") {\n    id: ID!', '@key(fields: "sku") {\n    sku: ID!'),
    };
    expect(await kinds(base, other, text)).toEqual([['stock', ['no key'], ['no key']]]);
    const found = await contracts(base, other, text);
    expect(found[0]?.oldPlanProblems[0]?.message).toBe(
      'subgraph "stock" receives Product with { __typename id weight }, but resolves it by "sku"',
    );
  });

  test('reports a key that is no longer resolvable although the type has another key', async () => {
    const two = change('stock', '@key(fields: "id") {', '@key(fields: "id") @key(fields: "sku") { sku: ID!');
    const dead = {
      ...two,
      stock: (two.stock as string).replace('(fields: "id")', '(fields: "id", resolvable: false)'),
    };
    expect(await kinds(two, dead, 'query Q { product(id: 1) { shipping } }')).toEqual([
      ['stock', ['no key'], []],
    ]);
  });

  test('reports a new @override for the old subgraph', async () => {
    const next = {
      ...base,
      reviews: reviews.replace('{ sku: ID!', '{ sku: ID! name: String! @override(from: "products")'),
    };
    expect(await kinds(base, next, 'query P { product(id: 1) { name } }')).toEqual([
      ['reviews', [], ['invalid']],
    ]);
  });

  test('reports a moved field for the new version of its old subgraph and the old version of its new one', async () => {
    const next = {
      ...base,
      products: products.replace(' state: State', ''),
      reviews: `${reviews.replace('{ sku: ID!', '{ sku: ID! state: State')} enum State { NEW OLD }`,
    };
    expect(await kinds(base, next, 'query P { product(id: 1) { state } }')).toEqual([
      ['products', ['invalid'], []],
      ['reviews', [], ['invalid']],
    ]);
  });

  test('reports a field that becomes @external as not served', async () => {
    const depot = (size: string) => `type Product @key(fields: "sku") { sku: ID! ${size} }`;
    const old = { products, depot: depot('ids: Int') };
    const next = {
      products: products.replace(
        'size: Float @shareable',
        'size: Float @external area: Float @requires(fields: "size")',
      ),
      depot: depot('size: Float'),
    };
    const [home] = await contracts(old, next, 'query P { product(id: 1) { size } }');
    expect(home).toMatchObject({
      subgraph: 'products',
      oldPlanProblems: [{ kind: 'not served', coordinates: ['Product.size'] }],
      newPlanProblems: [],
    });
  });

  test('reports the fields of a removed @provides as not served', async () => {
    const provided = (directive: string) => ({
      products,
      stock: `${stock} type Query { best: Product ${directive} }`,
    });
    expect(
      await kinds(provided('@provides(fields: "size")'), provided(''), 'query P { best { size } }'),
    ).toEqual([['stock', ['not served'], []]]);
    expect(
      await kinds(provided(''), provided('@provides(fields: "size")'), 'query P { best { size } }'),
    ).toEqual([['stock', [], ['not served']]]);
  });

  test('reports operations that omit an argument, or pass a nullable variable, when it becomes non-null', async () => {
    const next = change('products', 'in: Currency): Product', 'in: Currency!): Product');
    const text = `
      query Literal { product(id: 1, in: EUR) { name } }
      query NonNull($in: Currency!) { product(id: 1, in: $in) { name } }
      query Default($in: Currency = EUR) { product(id: 1, in: $in) { name } }
      query Nullable($in: Currency) { product(id: 1, in: $in) { name } }
      query Without { product(id: 1) { name } }
    `;
    const found = await contracts(base, next, text);
    expect(
      found.map(({ operation, oldPlanProblems }) => [
        operation.name,
        oldPlanProblems.map(({ kind }) => kind),
      ]),
    ).toEqual([
      ['Literal', []],
      ['NonNull', []],
      ['Default', []],
      ['Nullable', ['invalid']],
      ['Without', ['invalid']],
    ]);
  });

  test('reports a changed type for gateways with either supergraph', async () => {
    const nullable = change('products', 'name: String!', 'name: String');
    expect(await kinds(base, nullable, 'query P { product(id: 1) { name } }')).toEqual([
      ['products', ['may be null'], []],
    ]);
    expect(await kinds(nullable, base, 'query P { product(id: 1) { name } }')).toEqual([
      ['products', [], ['may be null']],
    ]);
    const other = change('products', 'name: String!', 'name: [Int!]!');
    expect(await kinds(base, other, 'query P { product(id: 1) { name } }')).toEqual([
      ['products', ['other type'], ['other type']],
    ]);
  });

  test('reports enum values and types that old gateways do not know', async () => {
    const noInput = products.replace('state: State }\n  enum State', '}\n  enum State');
    const from = { ...base, products: noInput };
    const next = {
      ...base,
      products: `${noInput.replace('NEW OLD', 'NEW OLD USED')} type Shelf implements Node { id: ID! }`,
    };
    const found = await contracts(from, next, 'query P { product(id: 1) { state } } query N { node { id } }');
    expect(found).toMatchObject([
      {
        oldPlanProblems: [
          { kind: 'unknown value', isCertain: false, coordinates: ['Product.state', 'State.USED'] },
        ],
        newPlanProblems: [],
      },
      {
        oldPlanProblems: [{ kind: 'unknown value', isCertain: false, coordinates: ['Query.node', 'Shelf'] }],
        newPlanProblems: [],
      },
    ]);
  });

  test('reports a field of an object type that promises more than its interface does', async () => {
    const old = {
      products: products.replace('interface Node { id: ID! }', 'interface Node { id: ID! size: Float }'),
    };
    const next = { products: old.products.replace('size: Float @shareable', 'size: Float! @shareable') };
    const problems = [{ kind: 'may be null', coordinates: ['Product.size'] }];
    const operation = 'query N { node { size } }';
    expect(await contracts(old, next, operation)).toMatchObject([
      { oldPlanProblems: [], newPlanProblems: problems },
    ]);
    expect(await contracts(next, old, operation)).toMatchObject([
      { oldPlanProblems: problems, newPlanProblems: [] },
    ]);
  });

  test('reports types that an entity fetch of an interface resolves and the gateway does not know', async () => {
    const media = `
      type Query { media: [Media!]! }
      interface Media @key(fields: "id") { id: ID! title: String }
      type Book implements Media @key(fields: "id") { id: ID! title: String }
    `;
    const ratings = 'type Query { best: Media } type Media @key(fields: "id") @interfaceObject { id: ID! }';
    const disc = ' type Disc implements Media @key(fields: "id") { id: ID! title: String }';
    const [old, next] = [
      { media, ratings },
      { media: media + disc, ratings },
    ];
    const message = expect.stringMatching(/resolves an entity of Media .* it may be Disc$/);
    const problems = [{ kind: 'unknown value', isCertain: false, message, coordinates: ['Disc'] }];
    const operation = 'query B { best { title } }';
    expect(await contracts(old, next, operation)).toMatchObject([
      { subgraph: 'media', oldPlanProblems: problems, newPlanProblems: [] },
    ]);
    expect(await contracts(next, old, operation)).toMatchObject([
      { subgraph: 'media', oldPlanProblems: [], newPlanProblems: problems },
    ]);
  });

  test('reports types that a subgraph did not return before, for operations that select from them', async () => {
    const graph = (members: string): Sdls => ({
      home: `type Query { hit: Hit } union Hit = ${members} ${hits}`,
      search: `type Query { other: Hit } union Hit = Page | Ad ${hits}`,
    });
    const hits = 'type Page @shareable { url: String } type Ad @shareable { text: String }';
    const [old, next] = [graph('Page'), graph('Page | Ad')];
    const text =
      'query Urls { hit { ... on Page { url } } } query Texts { hit { ... on Page { url } ... on Ad { text } } }';
    expect(await kinds(old, next, text)).toEqual([
      ['home', [], []],
      ['home', ['unselected type'], ['invalid']],
    ]);
  });

  test('accepts a value inside a variable that becomes a list, which GraphQL coerces', async () => {
    const next = change('products', 'input By { name: String', 'input By { name: [String!]');
    expect(await kinds(base, next, 'query P($by: By) { products(by: $by) { id } }')).toEqual([
      ['products', [], []],
    ]);
  });

  test('reports variables whose values the other version refuses', async () => {
    const text =
      'query P($by: By) { products(by: $by) { name } } query L { products(by: {name: "a"}) { name } }';
    const wider = change('products', 'input By { name', 'input By { age: Int name');
    expect(await kinds(base, wider, text)).toEqual([
      // Clients begin to send the new field when they know it.
      ['products', [], []],
      ['products', [], []],
    ]);
    const [variable, literal] = await contracts(
      base,
      change('products', 'input By { name', 'input By { age: Int! name'),
      text,
    );
    expect(variable?.oldPlanProblems).toEqual([
      {
        kind: 'input',
        isCertain: false,
        message: expect.stringContaining('By.age is required'),
        coordinates: ['By.age'],
      },
    ]);
    expect(literal?.oldPlanProblems).toMatchObject([{ kind: 'invalid', coordinates: ['By.age'] }]);
  });

  test('checks an operation that only the candidate has', async () => {
    const next = change('stock', 'shipping: Float', 'inStock: Boolean shipping: Float');
    const gateway = await graphs.plan(base, []);
    const found = checkPlanCompatibility(
      gateway,
      gateway.graph,
      await graphs.plan(next, operationsOf('query New { product(id: 1) { inStock } }')),
    );
    expect(found).toMatchObject([
      { subgraph: 'stock', oldPlanProblems: [], newPlanProblems: [{ kind: 'invalid' }] },
    ]);
  });

  test('returns nothing for operations that fetch from no changed subgraph', async () => {
    const next = change('reviews', 'text: String', 'text: String stars: Int');
    expect(await kinds(base, next, 'query P { product(id: 1) { name } }')).toEqual([]);
    expect(await kinds(base, base, 'query P { product(id: 1) { name } }')).toEqual([]);
  });

  test('reports an argument that is newly filled from a context', async () => {
    const shelf = (argument: string) => ({
      shelves: `
        type Query { shelf: Shelf }
        type Shelf @key(fields: "id") @context(name: "shelf") { id: ID! height: Int book: Book }
        type Book @key(fields: "id") { id: ID! fits${argument}: Boolean }
      `,
      authors: 'type Query { author: Int }',
    });
    const next = shelf('(height: Int @fromContext(field: "$shelf { height }"))');
    expect(await kinds(shelf(''), next, 'query S { shelf { book { fits } } }')).toEqual([
      ['shelves', ['missing input'], ['invalid']],
    ]);
  });

  test('reports an argument from a context of another type', async () => {
    const shelf = (room: string, shelf: string) => ({
      shelves: `
        type Query { room: Room }
        type Room @key(fields: "id") ${room} { id: ID! height: Int shelf: Shelf }
        type Shelf @key(fields: "id") ${shelf} { id: ID! height: Int book: Book }
        type Book @key(fields: "id") { id: ID! fits(height: Int @fromContext(field: "$place { height }")): Boolean }
      `,
      authors: 'type Query { author: Int }',
    });
    const context = '@context(name: "place")';
    const found = await contracts(
      shelf(context, ''),
      shelf('', context),
      'query S { room { shelf { book { fits } } } }',
    );
    expect(found).toMatchObject([
      {
        oldPlanProblems: [{ kind: 'missing input', coordinates: ['Book.fits(height:)', 'Shelf', 'Room'] }],
        newPlanProblems: [{ kind: 'missing input' }],
      },
    ]);
    expect(
      await kinds(
        shelf(context, ''),
        shelf(`${context} @context(name: "other")`, ''),
        'query S { room { shelf { book { fits } } } }',
      ),
    ).toEqual([['shelves', [], []]]);
  });
});

test('every plan works with the subgraphs that it was made for', async () => {
  const folder = new URL('../../../../subgraphs/', import.meta.url);
  const demo = Object.fromEntries(
    ['accounts', 'inventory', 'products', 'recommendations', 'reviews'].map((name) => [
      name,
      readFileSync(new URL(`${name}/schema.graphql`, folder), 'utf8'),
    ]),
  );
  const files = new URL('../../../fixtures/operations/', import.meta.url);
  const operations = readdirSync(files)
    .filter((file) => file.endsWith('.graphql'))
    .flatMap((file) => operationsOf(readFileSync(new URL(file, files), 'utf8')));
  const { graph, plans } = await graphs.plan(demo, operations);
  const facts = supergraphMetadataOf(graph);
  const checked = [...plans.values()].flatMap((planned) =>
    planned.kind === 'planned' ? planned.variants.flatMap(({ fetches }) => fetches) : [],
  );
  expect(checked.length).toBeGreaterThan(operations.length);
  const problems = checked.flatMap((fetch) => {
    const contract = graph.contracts.get(fetch.subgraph);
    const own = facts.subgraphs.get(fetch.subgraph);
    if (contract === undefined || own === undefined) throw new Error(fetch.subgraph);
    return checkFetch(fetch, facts, {
      name: fetch.subgraph,
      schema: subgraphSchemaOf(contract),
      metadata: own,
    });
  });
  expect(problems).toEqual([]);
});
