import { beforeEach, expect, test } from '@jest/globals';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { maskedErrorAt } from '../harness/maskedErrorAt.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

interface Entity {
  readonly id: string;
  readonly [input: string]: unknown;
}

const resolveReference = (reference: Entity): Entity => reference;
/** The second entity is unknown to the subgraph. */
const resolveFirst = (reference: Entity): Entity | null => (reference.id === '2' ? null : reference);

const gateway = await startInlineGateway({
  subgraphs: [
    {
      name: 'houses',
      sdl: `
        type Query { houses: [House!]! }
        type House @key(fields: "id") { id: ID! rooms: [Room!]! }
        type Room @key(fields: "id") { id: ID! size: Int }
      `,
      resolvers: {
        Query: { houses: () => ['1', '2'].map((id) => ({ id, rooms: [{ id, size: Number(id) }] })) },
      },
    },
    {
      name: 'prices',
      sdl: 'type Room @key(fields: "id") { id: ID! price: Int }',
      resolvers: { Room: { __resolveReference: resolveFirst, price: () => 10 } },
    },
    {
      name: 'details',
      sdl: `
        type House @key(fields: "id") @context(name: "house") { id: ID! city: String! street: String }
        type Room @key(fields: "id") {
          id: ID!
          price: Int @external
          size: Int @external
          name: String
          label: String!
          discount: String @requires(fields: "price")
          space: String @requires(fields: "size")
          place(city: String @fromContext(field: "$house { city }")): String
          address(
            city: String @fromContext(field: "$house { city }")
            street: String @fromContext(field: "$house { street }")
          ): String
        }
      `,
      resolvers: {
        House: { __resolveReference: resolveFirst, city: () => 'Ulm', street: () => 'High Street' },
        Room: {
          __resolveReference: resolveReference,
          name: ({ id }: Entity) => `name ${id}`,
          label: ({ id }: Entity) => `label ${id}`,
          discount: ({ price }: Entity) => `discount of ${price}`,
          space: ({ size }: Entity) => `space of ${size}`,
          place: (_: Entity, { city }: { city: string }) => city,
          address: (_: Entity, { city, street }: { city: string; street: string }) => `${street}, ${city}`,
        } as never,
      },
    },
  ],
});
disposeAfterSuite(gateway);
beforeEach(() => gateway.reset());

const isForHouses = (variables: object): boolean => JSON.stringify(variables).includes('House');

test('fields without an input are fetched for an object whose input comes from a subgraph that does not know it', async () => {
  const { body } = await gateway.execute('{ houses { rooms { name discount } } }');
  expect(body).toEqual({
    data: {
      houses: [
        { rooms: [{ name: 'name 1', discount: 'discount of 10' }] },
        { rooms: [{ name: 'name 2', discount: null }] },
      ],
    },
  });
});

test('fields without a @fromContext argument are fetched below an object that is unknown to the subgraph of the context', async () => {
  const { body } = await gateway.execute('{ houses { rooms { name label space place address } } }');
  const fields = (id: string) => ({ name: `name ${id}`, label: `label ${id}`, space: `space of ${id}` });
  expect(body).toEqual({
    data: {
      houses: [
        { rooms: [{ ...fields('1'), place: 'Ulm', address: 'High Street, Ulm' }] },
        { rooms: [{ ...fields('2'), place: null, address: null }] },
      ],
    },
  });
});

test('fields without a @fromContext argument are fetched when the fetch of the context fails', async () => {
  gateway
    .subgraph('details')
    .answerWith(({ variables }) =>
      isForHouses(variables) ? { kind: 'json', body: { errors: [{ message: 'All is lost' }] } } : undefined,
    );
  const { body } = await gateway.execute('{ houses { rooms { name place } } }');
  expect(body).toEqual({
    data: {
      houses: ['1', '2'].map((id) => ({ rooms: [{ name: `name ${id}`, place: null }] })),
    },
    errors: [0, 1].map((index) => maskedErrorAt('houses', index, 'rooms', 0, 'place')),
  });
});

test('a fetch whose objects have all values of its @fromContext arguments is sent as a whole', async () => {
  const details = gateway.subgraph('details');
  details.answerWith(({ variables }) => {
    if (!isForHouses(variables)) return undefined;
    const entity = { __typename: 'House', city: 'Ulm' };
    return { kind: 'json', body: { data: { _entities: [entity, entity] } } };
  });
  await gateway.execute('{ houses { rooms { name place } } }');
  const calls = details.calls.filter(({ variables }) => !isForHouses(variables));
  expect(calls.map(({ variables }) => Object.values(variables))).toEqual([
    [['1', '2'].map((id) => ({ __typename: 'Room', id })), 'Ulm'],
  ]);
});
