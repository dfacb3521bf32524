import { add, type Edit } from './changeContracts.ts';

export const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])\n\n';

/** A subgraph with an argument that comes from a context. */
export const shelves = add(
  'shelves',
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@context", "@fromContext"])

type Query {
  shelf: Shelf
}

type Shelf @key(fields: "id") @context(name: "shelf") {
  id: ID!
  height: String!
  width: String!
  book: Volume
}

type Volume @key(fields: "id") {
  id: ID!
  fits(space: String @fromContext(field: "$shelf { height }")): String
}
`,
);

/** A subgraph that computes a field of an entity, which it reaches through another entity, too. */
export const clubs: readonly Edit[] = [
  add(
    'clubs',
    `${link}
type Query {
  club: Club
}

type Club @key(fields: "id town { id }") {
  id: ID!
  town: Town!
}

type Town @key(fields: "id") {
  id: ID!
  size: Int!
}
`,
  ),
  add(
    'dues',
    `${link.replace('"@key"', '"@key", "@external", "@requires"')}
type Club @key(fields: "id town { id }") {
  id: ID!
  town: Town!
}

type Town @key(fields: "id") {
  id: ID!
  size: Int! @external
  fee: Int @requires(fields: "size")
}
`,
  ),
];

/** A subgraph that computes a field from a part of a value of another subgraph. */
export const parcels: readonly Edit[] = [
  add(
    'parcels',
    `${link.replace('"@key"', '"@key", "@shareable"')}
type Query {
  parcel: Parcel
}

type Parcel @key(fields: "id") {
  id: ID!
  size: Size!
}

type Size @shareable {
  width: Int!
}
`,
  ),
  add(
    'postage',
    `${link.replace('"@key"', '"@key", "@shareable", "@external", "@requires"')}
type Parcel @key(fields: "id") {
  id: ID!
  size: Size! @external
  postage: Int @requires(fields: "size { width }")
}

type Size @shareable {
  width: Int!
}
`,
  ),
];

/** A subgraph with an interface of entities, and one that adds to it with an interface object. */
export const media: readonly Edit[] = [
  add(
    'media',
    `${link}
type Query {
  media: Media
  book: Book
}

interface Media @key(fields: "id") {
  id: ID!
  name: String
}

type Book implements Media @key(fields: "id") {
  id: ID!
  name: String
}
`,
  ),
  add(
    'ratings',
    `${link.replace('"@key"', '"@key", "@interfaceObject"')}

type Query {
  best: [Media!]!
}

type Media @key(fields: "id") @interfaceObject {
  id: ID!
  rating: Float
}
`,
  ),
];
