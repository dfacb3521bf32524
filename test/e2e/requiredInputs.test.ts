import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';

interface Part {
  readonly id: string;
  readonly [input: string]: string;
}

/** Computed values contain the inputs from which they were computed. */
const from =
  (...inputs: readonly string[]) =>
  (part: Part): string =>
    `(${inputs.map((input) => `${input} ${part[input]}`).join(', ')})`;
const reference = { __resolveReference: (part: Part) => part };

const factory = [
  {
    name: 'catalog',
    sdl: `
      type Query { part: Part! }
      type Part @key(fields: "id") { id: ID! weight: String maker: String }
    `,
    resolvers: {
      Query: { part: () => ({ id: '1' }) },
      Part: { weight: ({ id }: Part) => `weight ${id}`, maker: ({ id }: Part) => `maker ${id}` },
    },
  },
  {
    name: 'costs',
    sdl: `
      type Part @key(fields: "id") {
        id: ID!
        weight: String @external
        maker: String @external
        tariff: String @external
        origin: String @requires(fields: "maker")
        cost: String @requires(fields: "weight tariff")
        total: String @requires(fields: "tariff")
        plain: String
      }
    `,
    resolvers: {
      Part: {
        ...reference,
        origin: from('maker'),
        cost: from('weight', 'tariff'),
        total: from('tariff'),
        plain: () => 'plain',
      },
    },
  },
  {
    name: 'tariffs',
    sdl: `
      type Part @key(fields: "id") {
        id: ID!
        origin: String @external
        tariff: String @requires(fields: "origin")
        sibling: Part
      }
    `,
    resolvers: { Part: { ...reference, tariff: from('origin'), sibling: () => ({ id: '2' }) } },
  },
];

const origin = (id: string): string => `(maker maker ${id})`;
const tariff = (id: string): string => `(origin ${origin(id)})`;
const cost = (id: string): string => `(weight weight ${id}, tariff ${tariff(id)})`;

describe('an input that is itself computed from inputs', () => {
  let gateway: InlineGateway;
  beforeAll(async () => {
    gateway = await startInlineGateway({ subgraphs: factory });
  });
  afterAll(() => gateway.close());

  test.each([
    ['{ part { cost } }', { cost: cost('1') }],
    [
      '{ part { plain total origin } }',
      { plain: 'plain', total: `(tariff ${tariff('1')})`, origin: origin('1') },
    ],
    ['{ part { sibling { cost } } }', { sibling: { cost: cost('2') } }],
    [
      '{ part { tariff sibling { plain tariff total } } }',
      {
        tariff: tariff('1'),
        sibling: { plain: 'plain', tariff: tariff('2'), total: `(tariff ${tariff('2')})` },
      },
    ],
  ])('is fetched with its own inputs: %s', async (query, part) => {
    const { body } = await gateway.execute(query);
    expect(body).toEqual({ data: { part } });
  });

  test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
    'is so in a deferred part (%s)',
    async (format) => {
      await using answer = await gateway.executeIncrementally(
        '{ part { plain ... @defer { cost origin } } }',
        { format },
      );
      const text = JSON.stringify(await answer.remaining());
      expect(text).toContain(JSON.stringify({ cost: cost('1'), origin: origin('1') }));
      expect(text).not.toContain('errors');
    },
  );
});

test('an input of one type only is neither sent without a key for other types, nor keeps these from being sent', async () => {
  await using gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'media',
        sdl: `
          type Query { media: [Media!]! medium: Media }
          interface Media @key(fields: "id") { id: ID! title: String }
          type Film implements Media @key(fields: "id") { id: ID! title: String }
          type Song implements Media @key(fields: "id") { id: ID! title: String }
        `,
        resolvers: {
          Query: { medium: () => ({ __typename: 'Song', id: 's' }) },
          Media: {
            __resolveReference: ({ id }: Part) => ({ __typename: id === 'f' ? 'Film' : 'Song', id }),
            __resolveType: ({ __typename }: Part) => __typename,
          } as never,
          Film: { title: () => 'a film' },
          Song: { title: () => 'a song' },
        },
      },
      {
        name: 'ratings',
        sdl: `
          type Query { best: [Media!]! }
          type Media @key(fields: "id") @interfaceObject {
            id: ID!
            title: String @external
            headline: String @requires(fields: "title")
            stars: Int!
          }
        `,
        resolvers: {
          Query: { best: () => [{ id: 's' }, { id: 'f' }] },
          Media: { ...reference, headline: from('title'), stars: () => 5 },
        },
      },
    ],
  });
  const { body } = await gateway.execute('{ best { ... on Film { headline } } }');
  expect(body).toEqual({ data: { best: [{}, { headline: '(title a film)' }] } });
  const sent = gateway.subgraph('ratings').calls.flatMap(({ variables }) => variables.representations ?? []);
  expect(sent).toEqual([{ __typename: 'Media', id: 'f', title: 'a film' }]);

  const mixed = await gateway.execute('{ medium { stars ... on Film { headline } } }');
  expect(mixed.body).toEqual({ data: { medium: { stars: 5 } } });
});

test('fields that a subgraph computes for an interface are fetched only for objects whose type selects them', async () => {
  await using gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'media',
        sdl: `
          type Query { media: [Media!]! }
          interface Media @key(fields: "id") { id: ID! title: String year: Int }
          type Film implements Media @key(fields: "id") { id: ID! title: String year: Int }
          type Song implements Media @key(fields: "id") { id: ID! title: String year: Int }
        `,
        resolvers: {
          Query: {
            media: () => [
              { __typename: 'Film', id: 'f', title: 'A film', year: 1999 },
              { __typename: 'Song', id: 's', title: 'A song', year: 2001 },
            ],
          },
        },
      },
      {
        name: 'ratings',
        sdl: `
          type Media @key(fields: "id") @interfaceObject {
            id: ID!
            title: String @external
            year: Int @external
            headline: String! @requires(fields: "title")
            age(in: Int): Int! @requires(fields: "year")
          }
        `,
        resolvers: {
          Media: {
            headline: ({ title }: { title: string }) => title.toUpperCase(),
            age: ({ year }: { year: number }, args: { in: number }) => args.in - Number(year.toFixed()),
          },
        } as never,
      },
    ],
  });
  const { body } = await gateway.execute(
    'query ($now: Int) { media { ... on Film { headline } ... on Song { age(in: $now) } } }',
    { variables: { now: 2026 } },
  );
  expect(body).toEqual({ data: { media: [{ headline: 'A FILM' }, { age: 25 }] } });
  const requests = gateway.subgraph('ratings').calls.map(({ variables }) => variables);
  expect(requests).toEqual([
    {
      representations_0: [{ __typename: 'Media', id: 'f', title: 'A film' }],
      representations_1: [{ __typename: 'Media', id: 's', year: 2001 }],
      now_1: 2026,
    },
  ]);
});

test('a representation has all fields of an input that several applicable fragments of a @requires select', async () => {
  const types = `
    interface Media { maker: Maker }
    type Maker @shareable { id: ID! name: String towns: [Town!] }
    type Town @shareable { zip: Int name: String }
  `;
  const maker = {
    id: 'm1',
    name: 'Ann',
    towns: [
      { zip: 1, name: 'Ulm' },
      { zip: 2, name: 'Bonn' },
    ],
  };
  await using gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'boxes',
        sdl: `
          type Query { box: Box }
          type Box @key(fields: "id") { id: ID! item: Media }
          ${types}
          type Film implements Media { maker: Maker }
        `,
        resolvers: { Query: { box: () => ({ id: '1', item: { __typename: 'Film', maker } }) } },
      },
      {
        name: 'labels',
        sdl: `
          type Box @key(fields: "id") {
            id: ID!
            item: Media @external
            label: String
              @requires(fields: "item { maker { id towns { zip } } ... on Film { maker { name towns { name } } } }")
          }
          ${types}
          type Film implements Media @external { maker: Maker }
        `,
        resolvers: { Box: { label: ({ item }: { item: unknown }) => JSON.stringify(item) } },
      },
    ],
  });
  const { body } = await gateway.execute('{ box { label } }');
  const { label } = (body.data as { box: { label: string } }).box;
  expect(JSON.parse(label)).toEqual({ maker });
});
