import { afterAll, describe, expect, test } from '@jest/globals';
import { print, stripIgnoredCharacters } from 'graphql';
import { defaultGatewaySettings } from '../../../../contracts/gatewaySettings.ts';
import { planConsumerOperations } from '../../../../contracts/graph/planConsumerOperations.ts';
import { ComposedGraphs, operationsOf } from './testContracts.ts';

const products = `
  type Query { product(id: ID!): Product products(by: By, first: Int = 5, sort: Sort): [Product!]! }
  type Product @key(fields: "id") { id: ID! name: String weight: Float }
  input By { name: String! tag: Tag }
  input Tag { text: String! }
  enum Sort { NAME WEIGHT }
`;
const stock = `
  type Product @key(fields: "id") {
    id: ID!
    weight: Float @external
    shipping: Float @requires(fields: "weight")
    inStock: Boolean
  }
`;
const reviews = `
  type Product @key(fields: "id") { id: ID! reviews: [Review!] }
  type Review { text: String author: User }
  type User @key(fields: "name", resolvable: false) { name: String }
  type Subscription { reviewed: Product }
`;

const graphs = new ComposedGraphs();
afterAll(() => graphs[Symbol.asyncDispose]());

async function planAll(text: string, sdls: Readonly<Record<string, string>> = { products, stock, reviews }) {
  const operations = operationsOf(text);
  const { plans } = await graphs.plan(sdls, operations);
  return [...plans.values()];
}

describe('a planned operation', () => {
  test('lists its fetches with subgraph, document, representations and dependencies', async () => {
    const [planned] = await planAll('query Page { product(id: 1) { name shipping reviews { text } } }');
    if (planned?.kind !== 'planned') throw new Error('not planned');
    const [{ fetches, overrides }] = planned.variants as [(typeof planned.variants)[number]];
    expect(overrides).toEqual([]);
    expect(
      fetches.map(({ document, representations, ...fetch }) => ({
        ...fetch,
        text: print(document).replaceAll(/\s+/g, ' '),
        sent: representations?.map(({ typeName, selections }) => [
          typeName,
          selections.map((selection) => (selection.kind === 'Field' ? selection.name : selection)),
        ]),
      })),
    ).toEqual([
      {
        subgraph: 'products',
        kind: 'query',
        dependsOn: [],
        text: '{ product(id: 1) { __typename id name weight } }',
        sent: undefined,
      },
      {
        subgraph: 'reviews',
        kind: 'query',
        dependsOn: [0],
        text: 'query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Product { reviews { text } } } }',
        sent: [['Product', ['__typename', 'id']]],
      },
      {
        subgraph: 'stock',
        kind: 'query',
        dependsOn: [0],
        text: 'query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Product { shipping } } }',
        sent: [['Product', ['__typename', 'id', 'weight']]],
      },
    ]);
    expect(planned.cost).toEqual({ fetches: 3, depth: 2, subgraphs: 3 });
  });

  test('includes the fetches of deferred parts and of subscription events', async () => {
    const [deferred, subscribed] = await planAll(`
      query Deferred { product(id: 1) { name ... @defer { shipping } } }
      subscription Reviewed { reviewed { name } }
    `);
    expect(deferred).toMatchObject({
      variants: [
        {
          fetches: [
            { subgraph: 'products', dependsOn: [] },
            { subgraph: 'products', dependsOn: [0] },
            { subgraph: 'stock', dependsOn: [1] },
          ],
        },
      ],
      cost: { fetches: 3, depth: 3, subgraphs: 2 },
    });
    expect(subscribed).toMatchObject({
      variants: [
        {
          fetches: [
            { subgraph: 'reviews', kind: 'subscription', dependsOn: [] },
            { subgraph: 'products', kind: 'query', dependsOn: [0] },
          ],
        },
      ],
    });
  });

  test('that needs no subgraph has no fetches', async () => {
    expect(await planAll('query Names { __typename }')).toMatchObject([
      { kind: 'planned', cost: { fetches: 0, depth: 0, subgraphs: 0 } },
    ]);
  });

  test('has a variant for each set of progressive @override labels that a request can have', async () => {
    const [planned] = await planAll('query P { product(id: 1) { inStock name } }', {
      products,
      stock,
      depot:
        'type Product @key(fields: "id") { id: ID! inStock: Boolean @override(from: "stock", label: "percent(5)") name: String @override(from: "products", label: "percent(50)") }',
    });
    if (planned?.kind !== 'planned') throw new Error('it was not planned');
    expect(
      planned.variants.map(({ overrides, fetches }) => [overrides, fetches.map(({ subgraph }) => subgraph)]),
    ).toEqual([
      [[], ['products', 'stock']],
      [['percent(50)'], ['products', 'depot', 'stock']],
      [
        ['percent(5)', 'percent(50)'],
        ['products', 'depot'],
      ],
    ]);
  });

  test('has a second variant when a progressive @override matters', async () => {
    const planned = await planAll(
      'query P { product(id: 1) { inStock } } query Q { product(id: 1) { id } }',
      {
        products,
        stock,
        depot:
          'type Product @key(fields: "id") { id: ID! inStock: Boolean @override(from: "stock", label: "percent(5)") }',
      },
    );
    expect(planned).toMatchObject([
      {
        variants: [
          { overrides: [], fetches: [{ subgraph: 'products' }, { subgraph: 'stock' }] },
          { overrides: ['percent(5)'], fetches: [{ subgraph: 'products' }, { subgraph: 'depot' }] },
        ],
      },
      { variants: [{ overrides: [] }] },
    ]);
  });
});

describe('an operation that fails', () => {
  test.each([
    ['an unknown field', '{ product(id: 1) { gone } }', ['Product.gone']],
    ['an unknown argument', '{ product(id: 1, at: 2) { id } }', ['Query.product(at:)']],
    ['a missing argument', '{ product { id } }', ['Query.product(id:)']],
    ['a nullable variable', 'query ($id: ID) { product(id: $id) { id } }', ['Query.product(id:)']],
    ['an unknown enum value', '{ products(sort: AGE) { id } }', ['Sort.AGE']],
    ['an unknown input field', '{ products(by: {name: "a", age: 1}) { id } }', ['By.age']],
    ['a missing input field', '{ products(by: {name: "a", tag: {}}) { id } }', ['Tag.text']],
    ['a value of another type', '{ products(by: {name: 1}) { id } }', ['By.name']],
    ['a literal of another type', '{ products(first: "all") { id } }', ['Query.products(first:)']],
    ['an unknown type', '{ product(id: 1) { ... on Gone { id } } }', ['Gone']],
    ['an unknown variable type', 'query ($by: Gone) { products(by: $by) { id } }', ['Gone']],
    ['an unknown directive', '{ product(id: 1) { id @gone } }', ['@gone']],
    ['a missing argument of a directive', '{ product(id: 1) { id @include } }', []],
  ])('for %s names the schema coordinates', async (_, text, coordinates) => {
    const [failed] = await planAll(text, { products });
    if (failed?.kind !== 'failed') throw new Error('it was planned');
    expect(failed.problems.every(({ kind }) => kind === 'invalid')).toBe(true);
    expect([...new Set(failed.problems.flatMap((problem) => problem.coordinates))]).toEqual(
      coordinates.length === 0 ? ['@include'] : coordinates,
    );
  });

  test('has a location, and does not stop other operations from being planned', async () => {
    const [failed, planned] = await planAll(
      'query A {\n  product(id: 1) { id\n gone } }\nquery B { product(id: 1) { id } }',
    );
    expect(failed).toEqual({
      kind: 'failed',
      problems: [
        {
          kind: 'invalid',
          message: 'Cannot query field "gone" on type "Product".',
          location: { file: 'contracts/operations/web/all.graphql', line: 3, column: 2 },
          coordinates: ['Product.gone'],
        },
      ],
      remainingFetches: [expect.objectContaining({ subgraph: 'products' })],
    });
    expect(planned?.kind).toBe('planned');
  });

  test.each([
    [
      'a field, and an argument',
      'query A { product(id: 1) { id gone } products(last: 3) { id } }',
      '{product(id:1){id}}',
    ],
    [
      'all fields of a selection',
      'query A { first: product(id: 1) { gone } product(id: 1) { id } }',
      '{product(id:1){id}}',
    ],
    [
      'a variable of an unknown type, and what it is passed to',
      'query A($by: Other) { products(by: $by) { id } product(id: 1) { name } }',
      '{product(id:1){name}}',
    ],
    [
      'a fragment on an unknown type, and its spread',
      'query A { product(id: 1) { ...Gone name } } fragment Gone on Other { id }',
      '{product(id:1){name}}',
    ],
  ])('has the fetches for the other selections when %s is refused', async (_, text, remaining) => {
    const [failed] = await planAll(text, { products });
    if (failed?.kind !== 'failed') throw new Error('it was planned');
    const texts = failed.remainingFetches?.map(({ document }) => stripIgnoredCharacters(print(document)));
    expect(texts).toEqual([remaining]);
  });

  test('has no other fetches when nothing is left of it', async () => {
    expect(await planAll('query A { gone }', { products })).toMatchObject([{ remainingFetches: undefined }]);
  });

  test('reports a missing root type, which validation does not check', async () => {
    expect(await planAll('\nmutation Add { add }')).toEqual([
      {
        kind: 'failed',
        problems: [
          {
            kind: 'no root type',
            message: expect.stringContaining('no mutation type'),
            location: { file: 'contracts/operations/web/all.graphql', line: 2, column: 1 },
            coordinates: ['Mutation'],
          },
        ],
      },
    ]);
  });

  test("is planned when the gateways' configuration allows it", async () => {
    const aliases = Array.from({ length: 60 }, (_, index) => `a${index}: product(id: 1) { name }`).join(' ');
    const operations = operationsOf(`query Many { ${aliases} }`);
    const graph = await graphs.compose({ products, stock });
    const kindWith = async (rootFields: number) => {
      const limits = { ...defaultGatewaySettings.limits, rootFields };
      const gatewaySettings = { ...defaultGatewaySettings, limits };
      const plans = await planConsumerOperations(graph, operations, { gatewaySettings });
      return [...plans.values()].map(({ kind }) => kind);
    };
    expect([await kindWith(50), await kindWith(60)]).toEqual([['failed'], ['planned']]);
  });

  test('reports the limit of the gateway that it exceeds', async () => {
    const aliases = Array.from({ length: 200 }, (_, index) => `a${index}: __typename`).join(' ');
    expect(await planAll(`query Many { ${aliases} }`)).toMatchObject([
      {
        kind: 'failed',
        problems: [
          {
            kind: 'limit',
            message: 'The operation has 200 root fields; at most 50 are allowed (limits.rootFields).',
          },
        ],
      },
    ]);
  });
});

test('planConsumerOperations reports progress per operation and returns the plans in the order of the operations', async () => {
  const operations = operationsOf(
    Array.from({ length: 20 }, (_, index) => `query O${index} { product(id: ${index}) { shipping } }`).join(
      '\n',
    ),
  );
  const progress: unknown[] = [];
  const graph = await graphs.compose({ products, stock });
  const plans = await planConsumerOperations(graph, operations, {
    onProgress: (...now) => progress.push(now),
  });
  expect(progress).toEqual(operations.map((_, index) => [index + 1, 20, 'planning operations']));
  expect([...plans.keys()]).toEqual(operations);
});

describe('operations that differ in their names only', () => {
  const text = (name: string, field: string) => `query ${name}($id: ID!) { product(id: $id) { ${field} } }`;

  test('share a plan', async () => {
    const [first, second, other] = await planAll(
      [text('A', 'shipping'), text('B', 'shipping'), text('C', 'shipping inStock')].join('\n'),
    );
    expect(second).toBe(first);
    expect(other).not.toEqual(first);
  });

  test('share no plan if only one of them has a maximum latency, for which the steps are counted', async () => {
    const [first, second] = operationsOf(`${text('A', 'name')} ${text('B', 'name')}`);
    if (first === undefined || second === undefined) throw new Error('no operations');
    const graph = await graphs.compose({ products, stock });
    const gatewaySettings = { ...defaultGatewaySettings, stepLatencyMs: 50 };
    const operations = [first, { ...second, slo: { latency: 200 } }];
    const plans = await planConsumerOperations(graph, operations, { gatewaySettings });
    expect([...plans.values()]).toMatchObject([{ firstResponseDepth: undefined }, { firstResponseDepth: 1 }]);
  });

  test('have problems at their own locations', async () => {
    const failed = await planAll([text('A', 'gone'), text('B', 'gone')].join('\n'));
    const lines = failed.flatMap((plan) =>
      plan.kind === 'failed' ? plan.problems.map(({ location }) => location.line) : [],
    );
    expect(lines).toEqual([1, 2]);
  });
});

test('equal requests of different operations share their document, and others do not', async () => {
  const planned = await planAll(
    'query A { product(id: 1) { shipping } } query B { product(id: 1) { name shipping } } query C { product(id: 1) { inStock } }',
  );
  const documents = planned
    .flatMap((plan) =>
      plan.kind === 'planned'
        ? plan.variants.flatMap(({ fetches }) => fetches.filter(({ subgraph }) => subgraph === 'stock'))
        : [],
    )
    .map(({ document }) => document);
  expect(documents[1]).toBe(documents[0]);
  expect(documents[2]).not.toBe(documents[0]);
});

describe('an operation with a known plan of another graph', () => {
  const sdls = { products, stock, reviews };
  const operations = operationsOf(`
    query Name { product(id: 1) { ... on Product { name } } }
    query Reviews { product(id: 1) { reviews { text } } }
    query Shipping { product(id: 1) { shipping } }
    query Sorted { products(by: { name: "a" }, sort: NAME) { weight } }
  `);
  const all = operations.map(({ name }) => name);

  test.each<[string, typeof sdls, readonly string[]]>([
    ['an unused field is added', { ...sdls, stock: stock.replace('inStock', 'sold: Int inStock') }, []],
    [
      'a selected field changes',
      { ...sdls, products: products.replace('name: String w', 'name: String! w') },
      ['Name'],
    ],
    [
      'a required field changes',
      {
        ...sdls,
        products: products.replace('weight: Float', 'weight: Float!'),
        stock: stock.replace('weight: Float', 'weight: Float!'),
      },
      ['Shipping', 'Sorted'],
    ],
    [
      'the type of an argument changes',
      { ...sdls, products: products.replace('NAME', 'NAME CODE') },
      ['Sorted'],
    ],
    [
      'a part of an argument changes',
      { ...sdls, products: products.replace('text: String!', 'text: String') },
      ['Sorted'],
    ],
    [
      'a field gets another subgraph',
      {
        ...sdls,
        products: products.replace('name: String w', 'name: String @shareable w'),
        reviews: reviews.replace('reviews:', 'name: String @shareable reviews:'),
      },
      ['Name'],
    ],
    [
      'a type gets another key',
      {
        ...sdls,
        products: products.replace('@key(fields: "id") {', '@key(fields: "id") @key(fields: "name") {'),
      },
      all,
    ],
    ['a subgraph is removed', { ...sdls, reviews: 'type Query { a: Int }' }, all],
  ])('is planned again only if the planner reads what differs: %s', async (_, changed, expected) => {
    const known = await graphs.plan(sdls, operations);
    const { graph, plans: fresh } = await graphs.plan(changed, operations);
    const plans = await planConsumerOperations(graph, operations, { known });
    expect(plans).toEqual(fresh);
    const planned = operations.filter((operation) => plans.get(operation) !== known.plans.get(operation));
    expect(planned.map(({ name }) => name)).toEqual(expected);
  });

  test('is planned again if a type leaves an interface that it selects from', async () => {
    const before = {
      items: `
        type Query { items: [Item] }
        interface Item { id: ID! }
        type Book implements Item { id: ID! }
        type Film implements Item { id: ID! }
      `,
    };
    const after = { items: before.items.replace('Film implements Item', 'Film') };
    const selected = operationsOf('query Items { items { id } }');
    const known = await graphs.plan(before, selected);
    const { graph } = await graphs.plan(after, selected);

    const plans = await planConsumerOperations(graph, selected, { known });

    expect([...plans.values()]).toEqual([...known.plans.values()]);
    expect([...plans.values()][0]).not.toBe([...known.plans.values()][0]);
  });
});
