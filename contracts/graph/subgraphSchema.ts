import { buildSubgraphSchema } from '@apollo/subgraph';
import { type GraphQLSchema, parse } from 'graphql';
import { defineOneOf } from '../../gateway/planning/oneOfDirective.ts';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { SubgraphContract } from '../contractStore.ts';

const schemas = new WeakMap<SubgraphContract, GraphQLSchema>();

/** The schema that a subgraph with this contract serves, including `_entities` and `_service`, without resolvers.
 *  Built once per contract.
 *  @throws {GraphQLError} without locations, for a contract that no subgraph can serve. */
export function subgraphSchemaOf(contract: SubgraphContract): GraphQLSchema {
  return getOrInsertComputed(schemas, contract, () =>
    buildSubgraphSchema({ typeDefs: parse(defineOneOf(contract.sdl), { noLocation: true }) }),
  );
}
