import { OperationTypeNode, parse } from 'graphql';
import { type EnrichmentRules, readEnrichmentRules } from '../../enrichment/enrichmentRules.ts';
import { enrichmentRulesOf } from '../../operation/enrichmentRulesOf.ts';
import type { QueryPlan } from '../../planning/queryPlan.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { type Serving, unknownServing } from '../serving.ts';
import type { ContractGraph } from './composeGraph.ts';
import { firstAnswerSteps, isSplit } from './firstAnswerSteps.ts';
import { flattenPlan, type PlannedFetch } from './flattenPlan.ts';
import { operationOf } from './operationOf.ts';
import { OperationWeights } from './operationWeight.ts';
import { costOf, greatestCost, type PlanCost } from './planCost.ts';
import { type FailedOperation, type OperationOnSupergraph, planOnSupergraph } from './planOnSupergraph.ts';
import { factsOf } from './subgraphFacts.ts';

/** What became of an operation. */
export type PlannedConsumer =
  | {
      readonly kind: 'planned';
      /** First the one with all progressive `@override`s off; then, where some matter, that with them on. */
      readonly variants: readonly PlanVariant[];
      /** The most that one of the variants takes. */
      readonly cost: PlanCost;
      /** Fetches, one after the other, that the first answer waits for in any case; `undefined` where nobody has asked, or
       *  it cannot be told. */
      readonly firstAnswerSteps?: number | undefined;
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
  /** What is known of the gateways. With the time that a fetch takes, the fetches before the first answer are counted. */
  readonly serving?: Serving | undefined;
}

/** `what` is what is being done now, for people. */
export type OnProgress = (done: number, total: number, what: string) => void;

/** Validates and plans every operation as a gateway with default limits would; each condition on a variable is
 *  taken as "do it". One that fails does not stop the others. The planner's threads set how many are planned at a
 *  time. */
export async function planConsumers(
  graph: ContractGraph,
  operations: readonly ConsumerOperation[],
  { onProgress, serving = unknownServing }: PlanConsumersOptions = {},
): Promise<ReadonlyMap<ConsumerOperation, PlannedConsumer>> {
  const planning = new ConsumerPlanning(graph, serving);
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
  readonly #serving: Serving;
  /** Of what comes late. */
  readonly #rules: EnrichmentRules | undefined;

  constructor(graph: ContractGraph, serving: Serving) {
    const document = parse(graph.sdl, { noLocation: true });
    const { enrichments, waitsForAll, stepLatencyMs } = serving;
    this.#graph = graph;
    this.#weights = new OperationWeights(document);
    this.#serving = serving;
    if (waitsForAll || stepLatencyMs === undefined) return;
    const { apiSchema } = graph.supergraph;
    this.#rules = readEnrichmentRules({ document, apiSchema, configured: enrichments }).rules;
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
      firstAnswerSteps: await this.#firstAnswerSteps(operation, planned),
    };
  }

  async #firstAnswerSteps(
    operation: ConsumerOperation,
    planned: Exclude<OperationOnSupergraph, FailedOperation>,
  ): Promise<number | undefined> {
    if (this.#serving.stepLatencyMs === undefined || operation.slo.latency === undefined) return undefined;
    const { normalized, variants } = await this.#withoutLate(operation, planned);
    const plans = variants.map(({ plan }) => plan);
    // Where the planner could not tell what is deferred apart, the executor will, by the data that there is.
    if (normalized.deferred.length > 0 && !plans.every(isSplit)) return undefined;
    const steps = plans.map(firstAnswerSteps);
    const known = steps.filter((count) => count !== undefined);
    return known.length === steps.length ? Math.max(0, ...known) : undefined;
  }

  /** Planned as a gateway does that lets enrichments come late: only queries are. */
  async #withoutLate(
    operation: ConsumerOperation,
    planned: Exclude<OperationOnSupergraph, FailedOperation>,
  ): Promise<Exclude<OperationOnSupergraph, FailedOperation>> {
    const { supergraph } = this.#graph;
    const rules = this.#rules;
    const isQuery = operationOf(operation.document).operation === OperationTypeNode.QUERY;
    if (rules === undefined || !isQuery) return planned;
    if (enrichmentRulesOf(supergraph.apiSchema, operation.document, rules).length === 0) return planned;
    const split = await planOnSupergraph(operation, supergraph, (type, field) => rules.ruleOf(type, field));
    return split.kind === 'planned' ? split : planned;
  }
}
