import { beforeEach, describe, expect, test } from '@jest/globals';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const readers = [
  { __typename: 'Person', id: 'r1', locale: 'de', roles: ['editor', 'admin'], best: { id: 't1' } },
  { __typename: 'Team', id: 'r2', language: 'fr', locale: 'en', roles: null, best: { id: 't1' } },
  { __typename: 'Person', id: 'r3', locale: null, roles: [], best: { id: 't2' } },
  { __typename: 'Person', id: 'r4', locale: 'it', roles: ['guest'], best: null },
];

/** `pages` sets the contexts and has the fields that use them. `parts` is on the path between these, so that the path leads
 *  through another subgraph. */
const gateway = await startInlineGateway({
  subgraphs: [
    {
      name: 'pages',
      sdl: `
        type Query { reader(id: ID!): Person readers: [Reader]! shelves: [[Person!]!]! site: Site! }
        interface Reader @context(name: "reader") { id: ID! locale: String roles: [String] best: Text }
        type Person implements Reader @key(fields: "id") @context(name: "who") {
          id: ID! locale: String roles: [String] best: Text note: Note
        }
        type Team implements Reader @key(fields: "id") @context(name: "who") {
          id: ID! language: String locale: String roles: [String] best: Text note: Note
        }
        type Site @context(name: "site") { theme: String! visitor: Visitor visitors: [Visitor!]! }
        type Visitor @key(fields: "id") @context(name: "visitor") { id: ID! locale: String }
        type Text @key(fields: "id") {
          id: ID!
          body(
            locale: String @fromContext(field: "$reader { locale }")
            roles: [String] @fromContext(field: "$reader { roles }")
            loud: Boolean = false
          ): String
        }
        type Note @key(fields: "id") {
          id: ID!
          said(in: String @fromContext(field: "$who ... on Person { locale } ... on Team { language }")): String
        }
        type Look @key(fields: "id") {
          id: ID!
          css(
            theme: String @fromContext(field: "$site { theme }")
            locale: String @fromContext(field: "$visitor { locale }")
          ): String
        }
      `,
      resolvers: {
        Query: {
          reader: (_: never, { id }: { id: string }) => readers.find((reader) => reader.id === id),
          readers: () => [...readers, null],
          shelves: () => [[readers[0], readers[2]], [], [readers[3], readers[0]]],
          site: () => ({ theme: 'dark', visitor: readers[0], visitors: [readers[0], readers[3]] }),
        },
        Person: {
          note: ({ id }: never) => ({ id: `n-${id}` }),
          __resolveReference: ({ id }: { id: string }) => readers.find((reader) => reader.id === id),
        },
        Team: {
          note: ({ id }: never) => ({ id: `n-${id}` }),
          __resolveReference: ({ id }: { id: string }) => readers.find((reader) => reader.id === id),
        },
        Text: {
          body: ({ id }: never, given: { locale: string; roles: string[]; loud: boolean }) =>
            JSON.stringify([id, given.locale, given.roles, given.loud]),
        },
        Note: { said: ({ id }: never, given: { in: string }) => JSON.stringify([id, given.in]) },
        Look: {
          css: ({ id }: never, { theme, locale }: { theme: string; locale: string }) =>
            JSON.stringify([id, theme, locale]),
        },
      },
    },
    {
      name: 'parts',
      sdl: `
        type Person @key(fields: "id") { id: ID! text: Text texts: [[Text]] }
        type Visitor @key(fields: "id") { id: ID! look: Look }
        type Text @key(fields: "id") { id: ID! size: Int }
        type Look @key(fields: "id") { id: ID! name: String }
      `,
      resolvers: {
        Person: {
          text: () => ({ id: 't9' }),
          texts: () => [
            [{ id: 't1' }, null],
            [{ id: 't2' }, { id: 't1' }],
          ],
        },
        Text: { size: ({ id }: { id: string }) => Number(id.slice(1)) },
        Visitor: { look: ({ id }: never) => ({ id: `l-${id}` }) },
        Look: { name: ({ id }: never) => `look ${id}` },
      },
    },
  ],
});
disposeAfterSuite(gateway);

beforeEach(() => gateway.subgraph('pages').reset());

const jsonOf = (...values: unknown[]) => JSON.stringify(values);

describe('an argument from context', () => {
  test('is passed as null when its value is null', async () => {
    const { body } = await gateway.execute('{ reader(id: "r3") { best { body size } note { said } } }');
    expect(body).toEqual({
      data: {
        reader: {
          best: { body: jsonOf('t2', null, [], false), size: 2 },
          note: { said: jsonOf('n-r3', null) },
        },
      },
    });
  });

  test('has the value of the object that contains the list, with a context on an interface and next to a client argument', async () => {
    const { body } = await gateway.execute('{ readers { id best { body(loud: true) size } } }');
    expect(body).toEqual({
      data: {
        readers: [
          { id: 'r1', best: { body: jsonOf('t1', 'de', ['editor', 'admin'], true), size: 1 } },
          { id: 'r2', best: { body: jsonOf('t1', 'en', null, true), size: 1 } },
          { id: 'r3', best: { body: jsonOf('t2', null, [], true), size: 2 } },
          { id: 'r4', best: null },
          null,
        ],
      },
    });
  });

  test("comes from the type that sets the context, by that type's own field", async () => {
    const { body } = await gateway.execute(
      '{ readers { ... on Person { note { said } } ... on Team { note { said } } } }',
    );
    expect(body).toEqual({
      data: {
        readers: [
          { note: { said: jsonOf('n-r1', 'de') } },
          { note: { said: jsonOf('n-r2', 'fr') } },
          { note: { said: jsonOf('n-r3', null) } },
          { note: { said: jsonOf('n-r4', 'it') } },
          null,
        ],
      },
    });
  });

  test('is correct in nested lists and below entities of another subgraph', async () => {
    const { body } = await gateway.execute('{ shelves { text { body size } texts { body } } }');
    const person = (locale: string | null, roles: string[]) => ({
      text: { body: jsonOf('t9', locale, roles, false), size: 9 },
      texts: [
        [{ body: jsonOf('t1', locale, roles, false) }, null],
        [{ body: jsonOf('t2', locale, roles, false) }, { body: jsonOf('t1', locale, roles, false) }],
      ],
    });
    const [one, three, four] = [person('de', ['editor', 'admin']), person(null, []), person('it', ['guest'])];
    expect(body).toEqual({ data: { shelves: [[one, three], [], [four, one]] } });
  });

  test('can use two contexts, each set at its own position', async () => {
    const { body } = await gateway.execute(
      '{ site { visitor { look { css name } } visitors { look { css } } } }',
    );
    expect(body).toEqual({
      data: {
        site: {
          visitor: { look: { css: jsonOf('l-r1', 'dark', 'de'), name: 'look l-r1' } },
          visitors: [
            { look: { css: jsonOf('l-r1', 'dark', 'de') } },
            { look: { css: jsonOf('l-r4', 'dark', 'it') } },
          ],
        },
      },
    });
  });

  test('is passed to a field of the same name under a client alias', async () => {
    const { body } = await gateway.execute('{ reader(id: "r1") { locale: id one: text { two: body } } }');
    expect(body).toEqual({
      data: { reader: { locale: 'r1', one: { two: jsonOf('t9', 'de', ['editor', 'admin'], false) } } },
    });
  });

  test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
    'is there in a deferred part, also where the first payload has no use for it: %s',
    async (format) => {
      await using answer = await gateway.executeIncrementally(
        '{ readers { id ... on Person @defer { text { body } note { said } } } }',
        { format },
      );
      const text = JSON.stringify(await answer.remaining());
      for (const [locale, roles, id] of [
        ['de', ['editor', 'admin'], 'r1'],
        [null, [], 'r3'],
        ['it', ['guest'], 'r4'],
      ] as const) {
        const data = {
          text: { body: jsonOf('t9', locale, roles, false) },
          note: { said: jsonOf(`n-${id}`, locale) },
        };
        expect(text).toContain(JSON.stringify(data).slice(1, -1));
      }
    },
  );

  test('causes one fetch for objects that share entity and value', async () => {
    const { body } = await gateway.execute('{ shelves { text { body } } }');
    expect(JSON.stringify(body).match(/t9/g)).toHaveLength(4);
    const representations = gateway
      .subgraph('pages')
      .calls.flatMap(({ variables }) =>
        Object.entries(variables).flatMap(([name, value]) =>
          name.startsWith('representations') ? (value as unknown[]) : [],
        ),
      );
    expect(representations).toEqual(Array(3).fill({ __typename: 'Text', id: 't9' }));
  });

  test('is required: without a value from the subgraph, not even null, the field is not fetched', async () => {
    gateway.subgraph('pages').answerWith(({ query }) =>
      query.includes('shelves')
        ? {
            kind: 'json',
            body: {
              data: {
                shelves: [
                  [
                    { __typename: 'Person', id: 'r1', roles: ['a'] },
                    { __typename: 'Person', id: 'r4', locale: 'it', roles: ['a'] },
                  ],
                ],
              },
            },
          }
        : undefined,
    );
    const { body } = await gateway.execute('{ shelves { id text { body } } }');
    expect(body).toEqual({
      data: {
        shelves: [
          [
            { id: 'r1', text: { body: null } },
            { id: 'r4', text: { body: jsonOf('t9', 'it', ['a'], false) } },
          ],
        ],
      },
    });
  });
});

test('the error of a value from context that only a deferred fragment needs has the path of the fragment', async () => {
  await using firms = await startInlineGateway({
    subgraphs: [
      {
        name: 'firms',
        sdl: `
          type Query { firm: Owner }
          interface Owner { id: ID! staff: [Person!] }
          type Firm implements Owner @key(fields: "id") { id: ID! staff: [Person!] }
          type Person @key(fields: "id") { id: ID! }
        `,
        resolvers: {
          Query: { firm: () => ({ __typename: 'Firm', id: 'f', staff: [{ id: 'p' }, { id: 'q' }] }) },
        },
      },
      {
        name: 'ranks',
        sdl: `
          type Firm @key(fields: "id") @context(name: "firm") { id: ID! level: Int }
          type Person @key(fields: "id") { id: ID! rank(level: Int @fromContext(field: "$firm { level }")): Int }
        `,
        resolvers: {
          Firm: {
            level: () => {
              throw new Error('no level');
            },
          },
          Person: { rank: (_: never, { level }: { level: number | null }) => level ?? 9 },
        },
      },
    ],
    config: { security: { exposeSubgraphErrors: true } },
  });
  await using answer = await firms.executeIncrementally('{ firm { staff { ... @defer { rank } } } }');
  const error = { message: 'no level', path: ['firm', 'staff', 0], extensions: { code: 'SUBGRAPH_ERROR' } };
  expect(await answer.remaining()).toEqual([
    { data: { firm: { staff: [{}, {}] } }, hasNext: true },
    {
      incremental: [
        { data: { rank: 9 }, path: ['firm', 'staff', 0], errors: [error] },
        { data: { rank: 9 }, path: ['firm', 'staff', 1] },
      ],
      hasNext: false,
    },
  ]);
});
