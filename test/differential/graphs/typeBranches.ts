import type { Graph, GraphObject } from './framework/graph.ts';

// Types whose fields have equal names and shapes, so that a client can select them under one response name. Their objects
// are entities and values, and all of these have fields of the same names.

const shops: readonly GraphObject[] = ['s1', 's2'].map((id) => ({ __typename: 'Shop', id }));
const brands: readonly GraphObject[] = ['s1', 's2'].map((id) => ({ __typename: 'Brand', id }));
const cups: readonly GraphObject[] = ['p1', 'p2'].map((id) => ({ __typename: 'Cup', id }));
const hats: readonly GraphObject[] = ['p1', 'p3'].map((id) => ({ __typename: 'Hat', id }));
const pen: GraphObject = { __typename: 'Pen', id: 'p1' };

/** A value. Its nulls must not be replaced by the fields of an entity with this key. */
const sizeOf = (id: string): GraphObject => ({ id, label: `size ${id}`, extra: null, other: null });

export const typeBranches: Graph = {
  name: 'typeBranches',
  subgraphs: [
    {
      name: 'goods',
      sdl: `
        type Query { items: [Item!]! named: [Named] rows: [[Item]] }
        union Item = Cup | Hat | Pen
        interface Named { id: ID! maker: Maker }
        interface Maker { id: ID! }
        type Cup implements Named @key(fields: "id") { id: ID! maker: Shop size: Size sizes: [Size] shop: Shop shops(first: Int): [Shop] note(of: Int = 3): String }
        type Hat implements Named @key(fields: "id") { id: ID! maker: Brand size: Shop sizes: [Shop] shop(of: Int): Shop brand: Brand note(of: String): String }
        type Pen { id: ID! size: Brand sizes: [Size] shop: Size shops: [Size] note: String }
        type Size { id: ID! label: String extra: String other: String }
        type Shop implements Maker @key(fields: "id") { id: ID! }
        type Brand implements Maker @key(fields: "id") { id: ID! }
      `,
    },
    {
      name: 'makers',
      sdl: `
        type Shop @key(fields: "id") { id: ID! extra: String cups: [Cup] best: Brand }
        type Brand @key(fields: "id") { id: ID! extra: String hats: [Hat] best: Shop }
        type Cup @key(fields: "id") { id: ID! stock(in: Unit = BOX): Int owner: Shop }
        type Hat @key(fields: "id") { id: ID! stock: Int owner: Brand }
        enum Unit { BOX PIECE }
      `,
    },
    {
      name: 'others',
      sdl: `
        type Shop @key(fields: "id") { id: ID! extra: String @external other: String @requires(fields: "extra") }
        type Brand @key(fields: "id") { id: ID! other: String }
        type Cup @key(fields: "id") { id: ID! stock(in: Unit = BOX): Int @external sold: Int @requires(fields: "stock(in: PIECE)") }
        type Hat @key(fields: "id") { id: ID! stock: Int @external sold: Int @requires(fields: "stock") }
        enum Unit { BOX PIECE }
      `,
    },
  ],
  entities: { Shop: shops, Brand: brands, Cup: cups, Hat: hats },
  resolvers: {
    'Query.items': () => [cups[0], hats[0], pen, cups[1], hats[1]],
    'Query.named': () => [hats[1], null, cups[1], cups[0]],
    'Query.rows': () => [[cups[0], null, pen], null, [], [hats[0]]],
    'Cup.maker': ({ id }) => (id === 'p1' ? shops[0] : null),
    'Cup.size': () => sizeOf('s1'),
    'Cup.sizes': () => [sizeOf('s1'), null, sizeOf('s2')],
    'Cup.shop': ({ id }) => (id === 'p1' ? shops[1] : shops[0]),
    'Cup.shops': () => [shops[0], shops[1], null],
    'Cup.owner': () => shops[1],
    'Hat.maker': () => brands[0],
    'Hat.size': ({ id }) => (id === 'p1' ? shops[0] : shops[1]),
    'Hat.sizes': () => [shops[1], shops[0]],
    'Hat.shop': () => shops[0],
    'Hat.brand': ({ id }) => (id === 'p1' ? brands[0] : brands[1]),
    'Hat.owner': () => brands[1],
    'Pen.size': () => brands[0],
    'Pen.sizes': () => [sizeOf('s1'), sizeOf('s2')],
    'Pen.shop': () => sizeOf('s1'),
    'Pen.shops': () => [sizeOf('s1'), sizeOf('s2')],
    'Shop.cups': () => cups,
    'Shop.best': () => brands[0],
    'Brand.hats': () => hats,
    'Brand.best': () => shops[1],
  },
};
