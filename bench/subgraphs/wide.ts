import { buildSubgraphSchema } from '@apollo/subgraph';
import type { GraphQLSchema } from 'graphql';
import { parse } from 'graphql';

// A graph with any number of subgraphs: the first one has the root field `parts`, each has one field of `Part`.

const partIds = Array.from({ length: 10 }, (_, index) => String(index + 1));

export function wideNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `wide${index}`);
}

export function wideSdl(index: number): string {
  return [
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])',
    ...(index === 0 ? ['type Query { parts: [Part!]! }'] : []),
    `type Part @key(fields: "id") { id: ID! field${index}: Int! }`,
  ].join('\n');
}

export function wideSchema(index: number): GraphQLSchema {
  return buildSubgraphSchema({
    typeDefs: parse(wideSdl(index)),
    resolvers: {
      ...(index === 0 ? { Query: { parts: () => partIds.map((id) => ({ id })) } } : {}),
      Part: { [`field${index}`]: ({ id }: { readonly id: string }) => wideValue(id, index) },
    },
  });
}

/** An operation that needs every subgraph, and its `data`. */
export function wideOperation(count: number): { readonly query: string; readonly expected: unknown } {
  const fields = Array.from({ length: count }, (_, index) => `field${index}`);
  const parts = partIds.map((id) => ({
    id,
    ...Object.fromEntries(fields.map((field, index) => [field, wideValue(id, index)])),
  }));
  return {
    query: `query Wide {\n  parts {\n    id\n    ${fields.join('\n    ')}\n  }\n}\n`,
    expected: { parts },
  };
}

function wideValue(id: string, index: number): number {
  return Number(id) * 1000 + index;
}
