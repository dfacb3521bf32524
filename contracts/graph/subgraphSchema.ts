import { buildSubgraphSchema } from '@apollo/subgraph';
import { type GraphQLSchema, parse } from 'graphql';
import type { SubgraphContract } from '../contractStore.ts';

const schemas = new WeakMap<SubgraphContract, GraphQLSchema>();

/** The schema that a subgraph with this contract serves, `_entities` and `_service` included; without resolvers. Made
 *  once per contract. The contract must be one that composes. */
export function subgraphSchemaOf(contract: SubgraphContract): GraphQLSchema {
  let schema = schemas.get(contract);
  if (schema === undefined) {
    schema = buildSubgraphSchema({ typeDefs: parse(contract.sdl, { noLocation: true }) });
    schemas.set(contract, schema);
  }
  return schema;
}
