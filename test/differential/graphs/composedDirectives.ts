import type { Graph, GraphObject } from './framework/graph.ts';

// Directives on every kind of definition, composed into the supergraph or not. They change no response.

const link = `
  extend schema
    @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@composeDirective", "@tag", "@cost", "@listSize", { name: "@requires", as: "@needs" }, "@external"])
    @link(url: "https://example.test/audit/v1.0", import: ["@audit"])
    @composeDirective(name: "@audit")
`;

const notes: readonly GraphObject[] = ['n1', 'n2'].map((id) => ({
  __typename: 'Note',
  id,
  kind: id === 'n1' ? 'LONG' : 'SHORT',
}));

export const composedDirectives: Graph = {
  name: 'composedDirectives',
  subgraphs: [
    {
      name: 'notes',
      link,
      sdl: `
        directive @audit(level: Int = 1) repeatable on FIELD_DEFINITION | OBJECT | ENUM_VALUE | ARGUMENT_DEFINITION | INTERFACE | UNION | INPUT_FIELD_DEFINITION
        directive @local on FIELD_DEFINITION | FIELD
        type Query {
          notes(first: Int @audit(level: 2)): [Note!]! @audit @audit(level: 3) @listSize(slicingArguments: ["first"], requireOneSlicingArgument: false)
          find(by: By!): Note @local
        }
        input By { id: ID @audit kind: Kind @tag(name: "k") }
        enum Kind { LONG @audit SHORT @deprecated(reason: "old") }
        type Note @key(fields: "id") @audit @tag(name: "public") { id: ID! text: String @cost(weight: 5) kind: Kind old: Int @deprecated }
      `,
    },
    {
      name: 'stars',
      link,
      sdl: `
        directive @audit(level: Int = 1) repeatable on FIELD_DEFINITION | OBJECT | ENUM_VALUE | ARGUMENT_DEFINITION | INTERFACE | UNION | INPUT_FIELD_DEFINITION
        type Note @key(fields: "id") { id: ID! text: String @external stars(scale: Int = 5 @audit): Int! @audit(level: 9) summary: String @needs(fields: "text") @tag(name: "x") }
      `,
    },
  ],
  entities: { Note: notes },
  resolvers: {
    'Query.notes': (_, { first }) => notes.slice(0, first ?? 2),
    'Query.find': (_, { by }) => notes.find(({ id, kind }) => id === by.id || kind === by.kind),
  },
  argumentValues: { first: [0, 1, 2], 'By.id': ['n1', 'n2', 'none'] },
};
