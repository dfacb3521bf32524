import { parse } from 'graphql';
import type { QueryPlan } from '../../planning/queryPlan.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import type { ContractGraph } from './composeGraph.ts';
import { flattenPlan, type PlannedFetch } from './flattenPlan.ts';
import { operationOf } from './operationOf.ts';
import { OperationWeights } from './operationWeight.ts';
import { costOf, greatestCost, type PlanCost } from './planCost.ts';
import { type FailedOperation, planOnSupergraph } from './planOnSupergraph.ts';
import { factsOf } from './subgraphFacts.ts';

/** What became of an operation. */
export type PlannedConsumer =
  | {
      readonly kind: 'planned';
      /** First the one with all progressive `@override`s off; then, where some matter, that with them on. */
      readonly variants: readonly PlanVariant[];
      /** The most that one of the variants takes. */
      readonly cost: PlanCost;
    }
  | FailedOperation;

export interface PlanVariant {
  /** Labels that are on. */
  readonly overrides: readonly string[];
  readonly plan: QueryPlan;
  readonly fetches: readonly PlannedFetch[];
}

/** A graph with what its gateway does for each operation. */
export interface PlannedGraph {
  readonly graph: ContractGraph;
  readonly plans: ReadonlyMap<ConsumerOperation, PlannedConsumer>;
}

export interface PlanConsumersOptions {
  readonly onProgress?: OnProgress | undefined;
}

/** `what` is what is being done now, for people. */
export type OnProgress = (done: number, total: number, what: string) => void;

/** Validates and plans every operation as a gateway with default limits would; each condition on a variable is
 *  taken as "do it". One that fails does not stop the others. The planner's threads set how many are planned at a
 *  time. */
export async function planConsumers(
  graph: ContractGraph,
  operations: readonly ConsumerOperation[],
  { onProgress }: PlanConsumersOptions = {},
): Promise<ReadonlyMap<ConsumerOperation, PlannedConsumer>> {
  const planning = new ConsumerPlanning(graph);
  const planned = new Map<ConsumerOperation, PlannedConsumer>();
  let done = 0;
  const open = operations.values();
  const work = async (): Promise<void> => {
    for (const operation of open) {
      planned.set(operation, await planning.plan(operation));
      done += 1;
      onProgress?.(done, operations.length, 'planning operations');
    }
  };
  await Promise.all(Array.from({ length: underWay }, work));
  return new Map(operations.map((operation) => [operation, planned.get(operation) as PlannedConsumer]));
}

/** More than there are threads, so that none of them waits for this one. */
const underWay = 8;

class ConsumerPlanning {
  readonly #graph: ContractGraph;
  readonly #weights: OperationWeights;

  constructor(graph: ContractGraph) {
    this.#graph = graph;
    this.#weights = new OperationWeights(parse(graph.sdl, { noLocation: true }));
  }

  async plan(operation: ConsumerOperation): Promise<PlannedConsumer> {
    const { supergraph } = this.#graph;
    const planned = await planOnSupergraph(operation, supergraph);
    if (planned.kind === 'failed') return planned;
    const { normalized } = planned;
    const definition = operationOf(operation.document);
    const { schema } = factsOf(this.#graph);
    const variants = planned.variants.map(({ overrides, plan }) => ({
      overrides,
      plan,
      fetches: flattenPlan(plan, schema),
    }));
    const root = supergraph.apiSchema.getRootType(definition.operation);
    const weight = root == null ? undefined : this.#weights.weigh(definition, root, normalized.root);
    return {
      kind: 'planned',
      variants,
      cost: greatestCost(variants.map(({ fetches }) => costOf(fetches, weight))),
    };
  }
}
