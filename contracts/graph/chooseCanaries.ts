import {
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
  Kind,
  OperationTypeNode,
  TypeInfo,
  validate,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { ConsumerOperation } from '../contractStore.ts';
import type { ContractGraph } from './composeGraph.ts';
import { operationOf } from './operationOf.ts';
import { subgraphSchemaOf } from './subgraphSchema.ts';
import { supergraphMetadataOf } from './supergraphMetadata.ts';

const maxCanaries = 20;

/** Chooses at most 20 queries and mutations that the graph accepts: of both kinds if possible, and so that they need
 *  as many subgraphs as possible. */
export function chooseCanaries(
  graph: ContractGraph,
  operations: readonly ConsumerOperation[],
): readonly ConsumerOperation[] {
  const owners = new ExclusiveFieldOwners(graph);
  const { apiSchema } = graph.supergraph;
  const candidates = operations
    .filter((operation) => isRunnable(operation, apiSchema))
    .map((operation) => ({
      operation,
      // The kind of operation is covered like a subgraph.
      covers: new Set([
        `(${operationOf(operation.document).operation})`,
        ...owners.subgraphsRequiredBy(operation),
      ]),
    }));
  const covered = new Set<string>();
  const chosen: ConsumerOperation[] = [];
  while (chosen.length < maxCanaries) {
    let best: { readonly index: number; readonly gain: number } | undefined;
    for (const [index, { covers }] of candidates.entries()) {
      const gain = covers.difference(covered).size;
      if (gain > (best?.gain ?? -1)) best = { index, gain };
    }
    const [next] = best === undefined ? [] : candidates.splice(best.index, 1);
    if (next === undefined) break;
    // In a large graph, validating every operation takes seconds.
    if (validate(apiSchema, next.operation.document).length > 0) continue;
    chosen.push(next.operation);
    for (const name of next.covers) covered.add(name);
  }
  return chosen;
}

function isRunnable({ document }: ConsumerOperation, api: GraphQLSchema): boolean {
  const { operation } = operationOf(document);
  return operation !== OperationTypeNode.SUBSCRIPTION && api.getRootType(operation) != null;
}

/** The owners of fields that exactly one subgraph resolves. An operation that selects such a field has to fetch from
 *  its owner. */
class ExclusiveFieldOwners {
  readonly #api: GraphQLSchema;
  readonly #owners = new Map<string, string | undefined>();

  constructor(graph: ContractGraph) {
    this.#api = graph.supergraph.apiSchema;
    const { subgraphs } = supergraphMetadataOf(graph);
    for (const contract of graph.contracts.values()) {
      const metadata = subgraphs.get(contract.name)?.fields;
      for (const type of Object.values(subgraphSchemaOf(contract).getTypeMap())) {
        if (!isObjectType(type) && !isInterfaceType(type)) continue;
        for (const name of Object.keys(type.getFields())) {
          const coordinate = `${type.name}.${name}`;
          if (metadata?.get(coordinate)?.isExternal) continue;
          this.#owners.set(coordinate, this.#owners.has(coordinate) ? undefined : contract.name);
        }
      }
    }
  }

  subgraphsRequiredBy({ document }: ConsumerOperation): ReadonlySet<string> {
    const found = new Set<string>();
    const types = new TypeInfo(this.#api);
    visit(
      document,
      visitWithTypeInfo(types, {
        [Kind.FIELD]: ({ name }) => {
          const owner = this.#owners.get(`${types.getParentType()?.name}.${name.value}`);
          if (owner !== undefined) found.add(owner);
        },
      }),
    );
    return found;
  }
}
