import { describe, expect, test } from '@jest/globals';
import { createApolloPlanner, describePlanningLimit } from '../../../gateway/planning/apolloPlanner.ts';
import { mapFetches } from '../../../gateway/planning/mapFetches.ts';
import type { FetchNode } from '../../../gateway/planning/queryPlan.ts';
import { composeSubgraphs, federationLink } from '../../harness/composeSubgraphs.ts';
import { testPlanningLimits } from '../../harness/testPlanningLimits.ts';

/** The fetches of the plan in their order, as subgraph and selection set. */
async function planFetches(
  sdls: Readonly<Record<string, string>>,
  document: string,
  shouldSplitDefer = false,
): Promise<string[]> {
  const subgraphs = Object.entries(sdls).map(([name, sdl]) => ({
    name,
    url: `http://${name}.test`,
    sdl: federationLink + sdl,
  }));
  const planner = createApolloPlanner({ sdl: await composeSubgraphs(subgraphs), ...testPlanningLimits });
  const fetches: string[] = [];
  const parts = new Set<FetchNode>();
  mapFetches(planner.plan({ document, shouldSplitDefer }), (fetch) => {
    for (const part of fetch.parts ?? []) parts.add(part);
    if (parts.has(fetch)) return fetch;
    fetches.push(`${fetch.serviceName} ${fetch.operation.replace(/^.*_entities[^{]*/, '')}`);
    return fetch;
  });
  return fetches;
}

describe('a field with a @requires that another @requires needs', () => {
  const moved = `
    type Query { moved: [Book!]! }
    type Book @key(fields: "id") {
      id: ID!
      pages: Int @external
      weight: Int @requires(fields: "pages")
    }`;

  test.each([
    [
      'an interface that another subgraph does not know',
      `type Query { moved: [Book!]! }
      interface Named { id: ID! }
      type Book implements Named @key(fields: "id") {
        id: ID!
        pages: Int! @external
        weight: Int @requires(fields: "pages")
        bundle: Int @requires(fields: "pages")
      }`,
    ],
    [
      'a root field that provides the input',
      `type Query { newest: Book @federation__provides(fields: "pages") moved: [Book!]! }
      type Book @key(fields: "id") {
        id: ID!
        pages: Int! @external
        weight: Int @requires(fields: "pages")
      }`,
    ],
  ])('gets its inputs from the subgraph that resolves them, with %s', async (_, stock) => {
    const catalog = `
      type Query { books: [Book!]! }
      type Book @key(fields: "id") {
        id: ID!
        title: String! @requires(fields: "weight")
        weight: Int @external
        pages: Int! @shareable
      }`;
    expect(await planFetches({ catalog, stock }, '{ moved { title } }')).toEqual([
      'stock {moved{__typename id}}',
      'catalog {...on Book{pages}}}',
      'stock {...on Book{weight}}}',
      'catalog {...on Book{title}}}',
    ]);
  });

  test('gets its inputs before it is fetched from the subgraph of the root field', async () => {
    const catalog = `
      type Query { books: [Book!]! }
      type Book @key(fields: "id") { id: ID! pages: Int }`;
    const post = `
      type Book @key(fields: "id") {
        id: ID!
        weight: Int @external
        postage: Int @requires(fields: "weight")
      }`;
    expect(await planFetches({ catalog, stock: moved, post }, '{ moved { postage } }')).toEqual([
      'stock {moved{__typename id}}',
      'catalog {...on Book{pages}}}',
      'stock {...on Book{weight}}}',
      'post {...on Book{postage}}}',
    ]);
  });
});

test('a field with a @requires is fetched with an object whose inputs a field further above provides', async () => {
  const catalog = `
    type Query { books: [Book!]! }
    type Book @key(fields: "id") { id: ID! pages: Int @shareable }`;
  const stock = `
    type Query { box: Box @federation__provides(fields: "shelf { book { pages } }") }
    type Box { shelf: Shelf }
    type Shelf { book: Book }
    type Book @key(fields: "id") {
      id: ID!
      pages: Int @external
      weight: Int @requires(fields: "pages")
    }`;
  expect(await planFetches({ catalog, stock }, '{ box { shelf { book { weight } } } }')).toEqual([
    'stock {box{shelf{book{pages weight}}}}',
  ]);
});

describe('a @fromContext argument below a field of an interface', () => {
  const subgraph = (context: { readonly interface: string; readonly objects: string }) => `
    type Query { owners: [Owner!]! user: User }
    interface Owner ${context.interface} { id: ID! locale: String kids: [Kid!]! }
    type User implements Owner @key(fields: "id") ${context.objects} {
      id: ID! locale: String kids: [Kid!]! friend: Owner
    }
    type Team implements Owner @key(fields: "id") ${context.objects} { id: ID! locale: String kids: [Kid!]! }
    type Kid @key(fields: "id") {
      id: ID!
      name: String
      text(locale: String @fromContext(field: "$owner { locale }")): String
    }`;
  const people = subgraph({ interface: '', objects: '@context(name: "owner")' });
  const divided =
    '__typename ...on Team{__typename locale kids{__typename id}}...on User{__typename locale kids{__typename id}}';

  test('gets its value from the object type that sets the context', async () => {
    expect(await planFetches({ people }, '{ owners { id kids { text } } }')).toEqual([
      `people {owners{${divided.replace('__typename', '__typename id')}}}`,
      'people {...on Kid{text(locale:$contextualArgument_1_0)}}}',
    ]);
  });

  test('does not get its value from an object further above that sets the same context', async () => {
    expect(await planFetches({ people }, '{ user { friend { kids { text } } } }')).toEqual([
      `people {user{friend{${divided}}}}`,
      'people {...on Kid{text(locale:$contextualArgument_1_0)}}}',
    ]);
  });

  test.each([
    ['the interface sets the context', '{ owners { kids { text } } }', '@context(name: "owner")', ''],
    ['it is not selected', '{ owners { kids { name } } }', '', '@context(name: "owner")'],
  ])('divides nothing when %s', async (_, operation, onInterface, onObjects) => {
    const [first] = await planFetches(
      { people: subgraph({ interface: onInterface, objects: onObjects }) },
      operation,
    );
    expect(first).not.toContain('...on');
  });

  test.each([
    ['without an argument when all objects above set the context', '{ places { guests { name text } } }', 1],
    [
      'without an argument, but not when some objects above do not set the context',
      '{ places { guests { name } ... on User { guests { text } } } }',
      2,
    ],
  ])('shares its fetch with a field %s', async (_, operation, count) => {
    const places = `
      type Query { places: [Place!]! }
      interface Place { guests: [Kid!]! }
      type User implements Place @key(fields: "id") { id: ID! guests: [Kid!]! }
      type Team implements Place @key(fields: "id") { id: ID! guests: [Kid!]! }
      type Kid @key(fields: "id") { id: ID! }`;
    const fetches = await planFetches({ people, places }, operation);
    expect(fetches.filter((fetch) => fetch.includes('on Kid'))).toHaveLength(count);
  });

  test('is not planned with deferred parts, so that the whole operation is planned', async () => {
    await expect(
      planFetches({ people }, '{ owners { kids { id ... @defer(label: "a") { text } } } }', true),
    ).rejects.toThrow('The planner does not split off parts of an operation that is divided by types.');
  });
});

test.each([
  ['as an argument', '{ thing(id: "1") { id } }', 'thing(id:"1")'],
  ['beyond 64 bits', '{ thing(id: "12345678901234567890") { id } }', 'thing(id:"12345678901234567890")'],
  ['negative', '{ thing(id: "-0") { id } }', 'thing(id:"-0")'],
  ['beside integers in a list', '{ thing(ids: ["1", 1, "a"]) { id } }', 'thing(ids:["1" 1 "a"])'],
  ['in input objects', '{ thing(in: { in: { id: "1" } }) { id } }', 'thing(in:{in:{id:"1"}})'],
])('an integer in an ID stays a string %s', async (_, operation, sent) => {
  const things = `
    input In { id: ID in: In }
    type Query { thing(id: ID, ids: [ID!], in: In): Thing }
    type Thing { id: ID! }`;
  expect(await planFetches({ things }, operation)).toEqual([`things {${sent}{id}}`]);
});

test('an integer in an ID stays a string in the default value of a variable', async () => {
  const things = `
    type Query { thing(id: ID): Thing }
    type Thing { id: ID! }`;
  expect(await planFetches({ things }, 'query ($id: ID = "1") { thing(id: $id) { id } }')).toEqual([
    'things query($id:ID="1"){thing(id:$id){id}}',
  ]);
});

describe('a field that returns an interface whose objects its subgraph knows in part as an @interfaceObject', () => {
  const plan = (document: string): Promise<string[]> =>
    planFetches(
      {
        media: `
          type Query { media: [Media] nodes: [Node] }
          interface Node { id: ID! }
          interface Timed { minutes: Int }
          interface Media implements Node @key(fields: "id") { id: ID! title: String }
          type Film implements Media & Node & Timed @key(fields: "id") { id: ID! title: String minutes: Int }`,
        ratings: `
          type Query { node: Node }
          interface Node { id: ID! }
          type Media implements Node @key(fields: "id") @interfaceObject { id: ID! stars: Int }
          type Shop implements Node @key(fields: "id") { id: ID! }`,
      },
      document,
    );

  test.each([
    ['id', 'id'],
    ['... on Shop { id }', '...on Shop{id}'],
  ])('is planned for %s', async (selection, fetched) => {
    expect(await plan(`query { node { ${selection} } }`)).toEqual([`ratings {node{__typename ${fetched}}}`]);
  });

  test.each(['... on Timed { minutes }', 'id ... on Media { title }', '... on Film { id }'])(
    'fails with %s, which would always be null',
    async (selection) => {
      await expect(plan(`query { node { ${selection} } }`)).rejects.toThrow(
        'The types of the objects of Query.node cannot be fetched',
      );
    },
  );

  test('does not fail where another subgraph resolves the field', async () => {
    expect(await plan('query { nodes { ... on Timed { minutes } } }')).toEqual([
      'media {nodes{__typename ...on Film{minutes}}}',
    ]);
  });
});

test.each([
  ['is nested too deeply after a stack overflow', (): unknown => recurse(), 'it is nested too deeply'],
  ['exceeds no limit after another RangeError', () => 'x'.repeat(2 ** 30), undefined],
])('an operation %s in the planner', (_, fail, expected) => {
  try {
    fail();
  } catch (error) {
    expect(describePlanningLimit(error)).toBe(expected);
  }
  expect.assertions(1);
});

function recurse(): number {
  return recurse() + 1;
}

test('an input with arguments of an @interfaceObject may come from the @interfaceObject of another subgraph', async () => {
  const sdls = {
    media: `
      type Query { media: [Media] }
      interface Media @key(fields: "id") { id: ID! }
      type Film implements Media @key(fields: "id") { id: ID! }`,
    prices: `
      type Media @key(fields: "id") @interfaceObject { id: ID! price(currency: String = "EUR"): Int }`,
    taxes: `
      type Media @key(fields: "id") @interfaceObject {
        id: ID!
        price(currency: String = "EUR"): Int @external
        tax: Int @requires(fields: "price(currency: \\"CHF\\")")
      }`,
  };
  const fetches = await planFetches(sdls, 'query { media { tax } }');
  expect(fetches.map((text) => text.replace(/\s+/g, ' '))).toEqual([
    'media {media{__typename ...on Film{__typename id}}}',
    expect.stringMatching(/^prices .*\{ \.\.\. on Media \{ price\(currency: "CHF"\) \} \} \}$/),
    expect.stringMatching(/^taxes .*\{ \.\.\. on Media \{ tax \} \} \}$/),
  ]);
});

test('no subgraph with an @interfaceObject of several keys is called only to convert one key into another', async () => {
  const sdls = {
    catalog: `
      type Query { items: [Item] }
      interface Item @key(fields: "id") @key(fields: "code") { id: ID! code: ID! }
      type Tool implements Item @key(fields: "id") @key(fields: "code") { id: ID! code: ID! }`,
    prices: `
      type Item @key(fields: "id") @interfaceObject {
        id: ID!
        amount: Int @external
        discount: Int @requires(fields: "amount")
      }`,
    shipping: `
      type Item @key(fields: "id") @key(fields: "code") @interfaceObject {
        id: ID!
        code: ID!
        amount: Int @external
        shipping: Int @requires(fields: "amount")
      }`,
    stock: 'type Item @key(fields: "code") @interfaceObject { code: ID! amount: Int }',
  };
  const subgraphsOf = async (selection: string): Promise<string[]> =>
    (await planFetches(sdls, `query { items { ${selection} } }`)).map(
      (fetch) => fetch.split(' ', 1)[0] ?? '',
    );
  expect(await subgraphsOf('discount')).toEqual(['catalog', 'stock', 'prices']);
  expect(await subgraphsOf('shipping')).toEqual(['catalog', 'stock', 'shipping']);
});

test('fields of an @interfaceObject that need different values of an input are fetched separately', async () => {
  const item = 'id: ID!';
  const sdls = {
    catalog: `
      type Query { items: [Item] }
      interface Item @key(fields: "id") { ${item} }
      type Tool implements Item @key(fields: "id") { ${item} }
      type Part implements Item @key(fields: "id") { ${item} }`,
    prices: 'type Item @key(fields: "id") @interfaceObject { id: ID! price(currency: String): Float }',
    shipping: `
      type Item @key(fields: "id") @interfaceObject {
        id: ID!
        price(currency: String): Float @external
        shipping: String @requires(fields: "price(currency: \\"USD\\")")
        customs: String @requires(fields: "price(currency: \\"CHF\\")")
      }`,
  };
  const fetches = await planFetches(sdls, 'query { items { customs ... on Tool { shipping } } }');
  const selections = fetches
    .filter((text) => text.startsWith('shipping'))
    .map((text) => /\.\.\. on.*/s.exec(text)?.[0].replace(/\s+/g, ' '));
  // Fetches with equal selections become one when they are sent.
  expect(new Set(selections)).toEqual(
    new Set(['... on Item { customs } } }', '... on Item { shipping } } }']),
  );
});

test('fields of an @interfaceObject that lead back to the interface are planned for several of its types', async () => {
  const media = `
    type Query { media: [Media] }
    interface Media @key(fields: "id") { id: ID! title: String }
    type Film implements Media @key(fields: "id") { id: ID! title: String }
    type Song implements Media @key(fields: "id") { id: ID! title: String }`;
  const titles = `
    type Film @key(fields: "id") { id: ID! title: String @override(from: "media") }
    type Song @key(fields: "id") { id: ID! title: String @override(from: "media") }`;
  const ratings = `
    type Media @key(fields: "id") @interfaceObject {
      id: ID!
      title: String @external
      next: Media @requires(fields: "title")
      note: String @requires(fields: "title")
    }`;
  // The planner alone throws "Cannot add fragment of condition".
  const document = '{ media { __typename ... on Film { next { id } } ... on Song { note } } }';
  const fetches = await planFetches({ media, titles, ratings }, document);
  expect(fetches.map((fetch) => fetch.replace(/\s+/g, ' '))).toEqual([
    'media {media{__typename id ...on Film{__typename id}...on Song{__typename id}}}',
    'titles {...on Film{title}...on Song{title}}}',
    'ratings {...on Media{next{id}}}}',
    'ratings query ($representations: [_Any!]!) { _entities(representations: $representations) { ... on Media { note } } }',
  ]);
});
