import type { Graph, GraphObject } from './framework/graph.ts';

// Features of Federation on the same types: interface objects with different keys, a nested one among them, that compute
// fields from each other's fields with arguments, and have values that several subgraphs share.

const items: readonly GraphObject[] = ['t1', 'p1', 't2', 'p2'].map((id, index) => ({
  __typename: id.startsWith('t') ? 'Tool' : 'Part',
  id,
  code: { region: id.slice(0, 1), number: index },
  place: index === 3 ? null : { label: `place of ${id}`, gate: { label: `gate of ${id}` } },
  twin: () => items[index ^ 2],
}));

const crates: readonly GraphObject[] = ['c1', 'c2'].map((id, index) => ({
  __typename: 'Crate',
  id,
  content: () => [items[index], null, items[index + 2]],
  anything: () => [items[index + 1], crates[1 - index]],
}));

export const combined: Graph = {
  name: 'combined',
  subgraphs: [
    {
      name: 'catalog',
      sdl: `
        type Query { items: [Item!]! item(id: ID!): Item crates: [Crate] }
        interface Item @key(fields: "id") @key(fields: "code { region number }") {
          id: ID! code: Code! title(upper: Boolean = false): String
        }
        type Tool implements Item @key(fields: "id") @key(fields: "code { region number }") {
          id: ID! code: Code! title(upper: Boolean = false): String weight(unit: String = "kg"): Float twin: Tool hint: String @shareable
        }
        type Part implements Item @key(fields: "id") @key(fields: "code { region number }") {
          id: ID! code: Code! title(upper: Boolean = false): String size: Int!
        }
        type Code @shareable { region: String! number: Int! }
        union Anything = Tool | Part | Crate
        type Crate @key(fields: "id") {
          id: ID! mark: String content: [Item] anything: [Anything]
        }
      `,
    },
    {
      name: 'stock',
      sdl: `
        type Item @key(fields: "code { region number }") @interfaceObject {
          code: Code! amount(at: Int = 1): Int! place: Place @shareable
        }
        type Code @shareable { region: String! number: Int! }
        type Place @shareable { row: Int! gate: Gate }
        type Gate @shareable { number: Int }
      `,
    },
    {
      name: 'prices',
      sdl: `
        type Query { cheapest: Item bundles: [Crate!] }
        type Item @key(fields: "id") @interfaceObject {
          id: ID!
          amount(at: Int = 1): Int! @external
          price(currency: String = "EUR"): Float
          discount: Float @requires(fields: "amount(at: 2)")
        }
        type Crate @key(fields: "id") { id: ID! value: Float }
      `,
    },
    {
      name: 'shipping',
      sdl: `
        type Item @key(fields: "id") @key(fields: "code { region number }") @interfaceObject {
          id: ID!
          code: Code!
          price(currency: String = "EUR"): Float @external
          place: Place @shareable
          shipping: String @requires(fields: "price(currency: \\"USD\\")")
          customs(currency: String): String! @requires(fields: "price(currency: \\"CHF\\")")
        }
        type Code @shareable { region: String! number: Int! }
        type Place @shareable { door: String gate: Gate }
        type Gate @shareable { open: Boolean! }
      `,
    },
    {
      name: 'tools',
      sdl: `
        type Tool implements Item @key(fields: "id") {
          id: ID!
          weight(unit: String = "kg"): Float @external
          twin: Tool @external
          use: String @requires(fields: "weight(unit: \\"g\\") twin { id weight }")
          hint: String @external
        }
        type Crate @key(fields: "id") { id: ID! best: Tool @provides(fields: "hint") spare: Item @provides(fields: "... on Tool { hint }") }
        interface Item { id: ID! }
        type Part implements Item @key(fields: "id", resolvable: false) { id: ID! }
      `,
    },
  ],
  entities: {
    Tool: items.filter(({ __typename }) => __typename === 'Tool'),
    Part: items.filter(({ __typename }) => __typename === 'Part'),
    Crate: crates,
  },
  resolvers: {
    'Query.items': () => items,
    'Query.item': (_, { id }) => items.find((item) => item.id === id),
    'Query.crates': () => [crates[0], null, crates[1]],
    'Query.cheapest': () => items[2],
    'Query.bundles': () => crates,
    'Crate.best': ({ id }) => (id === 'c1' ? items[0] : null),
    'Crate.spare': ({ id }) => items[id === 'c1' ? 1 : 2],
  },
  argumentValues: {
    'Query.item(id': ['t1', 'p2', 'none'],
    currency: ['EUR', 'USD', 'CHF'],
    unit: ['kg', 'g'],
    at: [1, 2, 3],
  },
};
