import type { Graph, GraphObject } from './framework/graph.ts';

// Subgraphs of Federation 1 (no link, type extensions with external keys, shared values) beside one of Federation 2.

const products: readonly GraphObject[] = ['p1', 'p2'].map((upc) => ({
  __typename: 'Product',
  upc,
  label: `product ${upc}`,
  price: upc === 'p1' ? 12 : null,
  weight: 40 + Number(upc.slice(1)),
  size: { label: `size of ${upc}` },
}));
const reviews: readonly GraphObject[] = ['r1', 'r2', 'r3'].map((id, index) => ({
  __typename: 'Review',
  id,
  product: products[index % 2],
  author: { __typename: 'User', id: `u${index}`, username: `name ${index}` },
}));

export const federationOne: Graph = {
  name: 'federationOne',
  subgraphs: [
    {
      name: 'products',
      link: '',
      sdl: `
        extend type Query { top(first: Int = 2): [Product] product(upc: String!): Product }
        type Product @key(fields: "upc") { upc: String! name: String price: Int weight: Int size: Size }
        type Size { width: Int unit: String }
      `,
    },
    {
      name: 'stock',
      link: '',
      sdl: `
        extend type Product @key(fields: "upc") {
          upc: String! @external
          weight: Int @external
          price: Int @external
          inStock: Boolean
          shipping: String @requires(fields: "price weight")
          parcel: Size
        }
        type Size { width: Int unit: String }
      `,
    },
    {
      name: 'reviews',
      link: '',
      sdl: `
        type Query { reviews: [Review!]! }
        type Review @key(fields: "id") { id: ID! body: String product: Product author: User @provides(fields: "username") }
        extend type Product @key(fields: "upc") { upc: String! @external reviews: [Review] }
        extend type User @key(fields: "id") { id: ID! @external username: String @external reviews: [Review] }
      `,
    },
    {
      name: 'users',
      sdl: `
        type User @key(fields: "id") { id: ID! username: String @shareable email: String! }
        type Product @key(fields: "upc") { upc: String! likes: Int }
      `,
    },
  ],
  entities: { Product: products, Review: reviews, User: reviews.map(({ author }) => author as GraphObject) },
  resolvers: {
    'Query.top': (_, { first }) => products.slice(0, first ?? 2),
    'Query.product': (_, { upc }) => products.find((product) => product.upc === upc),
    'Query.reviews': () => reviews,
    'Product.reviews': (self) => reviews.filter(({ product }) => product === self),
    'Product.parcel': ({ upc }) => ({ label: `parcel of ${upc}` }),
    'User.reviews': (self) => reviews.filter(({ author }) => author === self),
  },
  argumentValues: { 'Query.product(upc': ['p1', 'p2', 'none'], first: [0, 1, 2] },
};
