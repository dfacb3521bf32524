import type { GraphQLObjectType, GraphQLSchema } from 'graphql';
import type { PreparedOperation } from '../../gateway/operation/preparedOperation.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { normalizeText } from './normalize.ts';

/** A prepared query without a program. */
export function prepareText(schema: GraphQLSchema, text: string): PreparedOperation {
  const { root, deferred } = normalizeText(schema, text);
  return {
    supergraph: { apiSchema: schema } as unknown as Supergraph,
    kind: 'query',
    rootType: schema.getQueryType() as GraphQLObjectType,
    root,
    deferred,
    program: { steps: [], groups: [] },
    enrichments: [],
    isFused: false,
    isSplitRefused: false,
    overrides: [],
    introspection: undefined,
  };
}
