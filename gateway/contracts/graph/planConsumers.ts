import {
  type GraphQLError,
  type GraphQLSchema,
  type OperationDefinitionNode,
  parse,
  print,
  validate,
} from 'graphql';
import { parseConfig } from '../../config/parseConfig.ts';
import { GatewayError } from '../../errors.ts';
import { InternalNames } from '../../operation/internalNames.ts';
import { type ExceededLimit, findExceededLimit, findExceededTextLimit } from '../../operation/limits.ts';
import { type NormalizedOperation, normalizeOperation } from '../../operation/normalize.ts';
import { plannerQuestion, planOperation } from '../../operation/planOperation.ts';
import { relevantOverrides } from '../../operation/relevantOverrides.ts';
import type { QueryPlan } from '../../planning/queryPlan.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import type { Place } from '../finding.ts';
import type { ContractGraph } from './composeGraph.ts';
import { errorCoordinates } from './errorCoordinates.ts';
import { flattenPlan, type PlannedFetch } from './flattenPlan.ts';
import { operationOf } from './operationOf.ts';
import { OperationWeights } from './operationWeight.ts';
import { costOf, greatestCost, type PlanCost } from './planCost.ts';
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
  | { readonly kind: 'failed'; readonly problems: readonly ConsumerProblem[] };

export interface PlanVariant {
  /** Labels that are on. */
  readonly overrides: readonly string[];
  readonly plan: QueryPlan;
  readonly fetches: readonly PlannedFetch[];
}

export interface ConsumerProblem {
  /** `invalid`: refused by validation. `limit`: by one of the gateway's limits. `no root type`: the graph does not
   *  have this kind of operation. `unplannable`: the planner gives up. */
  readonly kind: 'invalid' | 'limit' | 'no root type' | 'unplannable';
  readonly message: string;
  /** In the operation's file. */
  readonly place: Place;
  /** Parts of the API schema that it is about. */
  readonly coordinates: readonly string[];
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

const { limits } = parseConfig({ supergraph: { file: 'composed' } });

class ConsumerPlanning {
  readonly #graph: ContractGraph;
  readonly #weights: OperationWeights;

  constructor(graph: ContractGraph) {
    this.#graph = graph;
    this.#weights = new OperationWeights(parse(graph.sdl, { noLocation: true }));
  }

  async plan(operation: ConsumerOperation): Promise<PlannedConsumer> {
    const { supergraph } = this.#graph;
    const { document } = operation;
    const problems = findProblems(operation, supergraph.apiSchema);
    if (problems.length > 0) return { kind: 'failed', problems };
    const definition = operationOf(document);
    try {
      const normalized = normalizeOperation({
        schema: supergraph.apiSchema,
        document,
        operation: definition,
        booleans: {},
        names: InternalNames.of(supergraph),
        maxSelections: limits.recursiveSelections,
        defer: true,
      });
      const labels = relevantOverrides(supergraph, document, definition);
      const variants = await Promise.all(
        (labels.length === 0 ? [[]] : [[], labels]).map((overrides) =>
          this.#planVariant(definition, normalized, overrides),
        ),
      );
      const root = supergraph.apiSchema.getRootType(definition.operation);
      const weight = root == null ? undefined : this.#weights.weigh(definition, root, normalized.root);
      return {
        kind: 'planned',
        variants,
        cost: greatestCost(variants.map(({ fetches }) => costOf(fetches, weight))),
      };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return { kind: 'failed', problems: [planningProblem(error, operation)] };
    }
  }

  async #planVariant(
    definition: OperationDefinitionNode,
    normalized: NormalizedOperation,
    overrides: readonly string[],
  ): Promise<PlanVariant> {
    const question = plannerQuestion(definition, normalized, overrides);
    const plan: QueryPlan =
      question === undefined
        ? { kind: 'QueryPlan' }
        : (await planOperation(this.#graph.supergraph.planner, question)).plan;
    return { overrides, plan, fetches: flattenPlan(plan, factsOf(this.#graph).schema) };
  }
}

/** Everything but planning that a gateway would refuse the operation for. */
function findProblems(operation: ConsumerOperation, schema: GraphQLSchema): readonly ConsumerProblem[] {
  const { document, place } = operation;
  const exceeded = findExceededTextLimit(print(document), limits) ?? findExceededLimit(document, limits);
  if (exceeded !== undefined) {
    return [{ kind: 'limit', message: sayExceeded(exceeded), place, coordinates: [] }];
  }
  const { operation: kind } = operationOf(document);
  // `validate` has nothing to say about this one.
  if (schema.getRootType(kind) == null) {
    const message = `The graph has no ${kind} type any more: no ${kind} can be answered.`;
    const name = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
    return [{ kind: 'no root type', message, place, coordinates: [name] }];
  }
  const errors = validate(schema, document);
  const coordinates = errorCoordinates(errors, document, schema);
  return errors.map((error, index) => ({
    kind: 'invalid',
    message: error.message,
    place: placeOf(error, place),
    coordinates: coordinates[index] ?? [],
  }));
}

function placeOf({ locations }: GraphQLError, { file, ...start }: Place): Place {
  return { file, ...(locations?.[0] ?? start) };
}

function sayExceeded({ limit, value, allowed }: ExceededLimit): string {
  return `The gateway refuses the operation: limits.${limit} is ${allowed}, and it has at least ${value}.`;
}

function planningProblem(error: GatewayError, { place }: ConsumerOperation): ConsumerProblem {
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return {
    kind: error.code === 'OPERATION_TOO_COMPLEX' ? 'limit' : 'unplannable',
    message: `${error.message}${cause}`,
    place,
    coordinates: [],
  };
}
