import { expect, test } from '@jest/globals';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

interface Kid {
  readonly id: string;
  readonly [input: string]: string;
}

/** Computed values contain the inputs from which they were computed. */
const from =
  (input: string) =>
  (kid: Kid): string =>
    `${input} ${kid[input]}`;
const resolveReference = (reference: Kid): Kid => reference;

const gateway = await startInlineGateway({
  subgraphs: [
    {
      name: 'owners',
      sdl: `
        type Query { owners: [Owner!]! }
        interface Owner { id: ID! kids: [Kid!]! best: Kid }
        type Club implements Owner @key(fields: "id") { id: ID! kids: [Kid!]! best: Kid }
        type Firm implements Owner @key(fields: "id") { id: ID! kids: [Kid!]! best: Kid }
        type Kid @key(fields: "id") { id: ID! age: String years: String }
      `,
      resolvers: {
        Query: {
          owners: () => [
            { __typename: 'Club', id: 'c', kids: [{ id: 'k1' }, { id: 'k2' }] },
            { __typename: 'Firm', id: 'f', kids: [{ id: 'k2' }, { id: 'k3' }] },
          ],
        },
        Kid: { age: ({ id }: Kid) => id, years: ({ id }: Kid) => id },
      },
    },
    {
      name: 'people',
      sdl: `
        type Club @key(fields: "id") @context(name: "owner") { id: ID! locale: String }
        type Firm @key(fields: "id") @context(name: "owner") { id: ID! locale: String }
        type Kid @key(fields: "id") {
          id: ID!
          age: String @external
          years: String @external
          mood: String
          weight: String @requires(fields: "age")
          height: String @requires(fields: "years")
          text(locale: String @fromContext(field: "$owner { locale }")): String @requires(fields: "years")
        }
      `,
      resolvers: {
        Club: { __resolveReference: resolveReference, locale: () => 'de' },
        Firm: { __resolveReference: resolveReference, locale: () => 'fr' },
        Kid: {
          __resolveReference: resolveReference,
          mood: () => 'good',
          weight: from('age'),
          height: from('years'),
          text: (kid: Kid, { locale }: { locale: string }) => `${locale} ${from('years')(kid)}`,
        } as never,
      },
    },
  ],
});
disposeAfterSuite(gateway);

const kidsOf = async (operation: string): Promise<readonly unknown[]> => {
  const { body } = await gateway.execute(operation);
  expect(body).not.toHaveProperty('errors');
  return (body.data as { owners: readonly { kids: unknown }[] }).owners.map(({ kids }) => kids);
};

test.each([
  ['of an interface', 'kids { mood }'],
  ['of another type', '... on Firm { kids { mood } }'],
])(
  'a field %s is fetched for objects without the inputs of a field that is not selected for them',
  async (_, own) => {
    const mood = own.startsWith('kids') ? { mood: 'good' } : {};
    expect(await kidsOf(`{ owners { ${own} ... on Club { kids { weight } } } }`)).toEqual([
      [
        { ...mood, weight: 'age k1' },
        { ...mood, weight: 'age k2' },
      ],
      [{ mood: 'good' }, { mood: 'good' }],
    ]);
  },
);

test('fields that are selected for objects of different types do not need the inputs of each other', async () => {
  expect(
    await kidsOf('{ owners { ... on Club { kids { weight } } ... on Firm { kids { height } } } }'),
  ).toEqual([
    [{ weight: 'age k1' }, { weight: 'age k2' }],
    [{ height: 'years k2' }, { height: 'years k3' }],
  ]);
});

test('fields of a fetch that is divided by contexts do not need the inputs of each other', async () => {
  expect(await kidsOf('{ owners { kids { weight } ... on Club { kids { text } } } }')).toEqual([
    [
      { weight: 'age k1', text: 'de years k1' },
      { weight: 'age k2', text: 'de years k2' },
    ],
    [{ weight: 'age k2' }, { weight: 'age k3' }],
  ]);
});

test('a fetch whose fields are selected for all of its objects is not divided', async () => {
  gateway.subgraph('people').reset();
  await kidsOf('{ owners { kids { weight height } ... on Club { kids { mood } } } }');
  const [call] = gateway.subgraph('people').calls;
  expect(call?.variables).toEqual({
    representations: ['k1', 'k2', 'k3'].map((id) => ({ __typename: 'Kid', id, age: id, years: id })),
  });
});
