import { OperationTypeNode, parse } from 'graphql';
import { type EnrichmentRules, readEnrichmentRules } from '../../gateway/enrichment/enrichmentRules.ts';
import { collectEnrichmentRules } from '../../gateway/operation/collectEnrichmentRules.ts';
import type { QueryPlan } from '../../gateway/planning/queryPlan.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { defaultGatewaySettings, type GatewaySettings } from '../gatewaySettings.ts';
import type { ContractGraph } from './composeGraph.ts';
import { flattenPlan, type PlannedFetch } from './flattenPlan.ts';
import { operationOf } from './operationOf.ts';
import { OperationWeights } from './operationWeights.ts';
import { firstResponseDepthOf, hasDeferNode, maxPlanCost, type PlanCost, planCostOf } from './planCost.ts';
import { type FailedOperation, type PlanResult, planOnSupergraph } from './planOnSupergraph.ts';
import { supergraphMetadataOf } from './supergraphMetadata.ts';

/** What became of an operation. */
export type ConsumerPlan =
  | {
      readonly kind: 'planned';
      /** First the one with all progressive `@override`s off; then, where some matter, that with them on. */
      readonly variants: readonly PlanVariant[];
      /** The most that one of the variants takes. */
      readonly cost: PlanCost;
      /** Fetches, one after the other, that the first answer waits for in any case; `undefined` where nobody has asked, or
       *  it cannot be told. */
      readonly firstResponseDepth?: number | undefined;
    }
  | FailedOperation;

interface PlanVariant {
  /** Labels that are on. */
  readonly overrides: readonly string[];
  readonly plan: QueryPlan;
  readonly fetches: readonly PlannedFetch[];
}

/** A graph with what its gateway does for each operation. */
export interface PlannedGraph {
  readonly graph: ContractGraph;
  readonly plans: ReadonlyMap<ConsumerOperation, ConsumerPlan>;
}

export interface PlanConsumerOperationsOptions {
  readonly onProgress?: OnProgress | undefined;
  /** What is known of the gateways. With the time that a fetch takes, the fetches before the first answer are counted. */
  readonly gatewaySettings?: GatewaySettings | undefined;
}

/** `what` is what is being done now, for people. */
export type OnProgress = (done: number, total: number, what: string) => void;

/** Validates and plans every operation as a gateway with default limits would; each condition on a variable is
 *  taken as "do it". One that fails does not stop the others. The planner's threads set how many are planned at a
 *  time. */
export async function planConsumerOperations(
  graph: ContractGraph,
  operations: readonly ConsumerOperation[],
  { onProgress, gatewaySettings = defaultGatewaySettings }: PlanConsumerOperationsOptions = {},
): Promise<ReadonlyMap<ConsumerOperation, ConsumerPlan>> {
  const planning = new ConsumerPlanner(graph, gatewaySettings);
  const planned = new Map<ConsumerOperation, ConsumerPlan>();
  let done = 0;
  const open = operations.values();
  const work = async (): Promise<void> => {
    for (const operation of open) {
      planned.set(operation, await planning.plan(operation));
      done += 1;
      onProgress?.(done, operations.length, 'planning operations');
    }
  };
  await Promise.all(Array.from({ length: planningConcurrency }, work));
  return new Map(operations.map((operation) => [operation, planned.get(operation) as ConsumerPlan]));
}

/** More than there are threads, so that none of them waits for this one. */
const planningConcurrency = 8;

class ConsumerPlanner {
  readonly #graph: ContractGraph;
  readonly #weights: OperationWeights;
  readonly #gatewaySettings: GatewaySettings;
  /** Of what comes late. */
  readonly #enrichmentRules: EnrichmentRules | undefined;

  constructor(graph: ContractGraph, serving: GatewaySettings) {
    const document = parse(graph.sdl, { noLocation: true });
    const { enrichments, waitsForAll, stepLatencyMs } = serving;
    this.#graph = graph;
    this.#weights = new OperationWeights(document);
    this.#gatewaySettings = serving;
    if (waitsForAll || stepLatencyMs === undefined) return;
    const { apiSchema } = graph.supergraph;
    this.#enrichmentRules = readEnrichmentRules({ document, apiSchema, configured: enrichments }).rules;
  }

  async plan(operation: ConsumerOperation): Promise<ConsumerPlan> {
    const { supergraph } = this.#graph;
    const planned = await planOnSupergraph(operation, supergraph);
    if (planned.kind === 'failed') return planned;
    const { normalized } = planned;
    const definition = operationOf(operation.document);
    const { schema } = supergraphMetadataOf(this.#graph);
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
      cost: maxPlanCost(variants.map(({ fetches }) => planCostOf(fetches, weight))),
      firstResponseDepth: await this.#firstResponseDepth(operation, planned),
    };
  }

  async #firstResponseDepth(
    operation: ConsumerOperation,
    planned: Exclude<PlanResult, FailedOperation>,
  ): Promise<number | undefined> {
    if (this.#gatewaySettings.stepLatencyMs === undefined || operation.slo.latency === undefined)
      return undefined;
    const { normalized, variants } = await this.#planWithoutEnrichments(operation, planned);
    const plans = variants.map(({ plan }) => plan);
    // Where the planner could not tell what is deferred apart, the executor will, by the data that there is.
    if (normalized.deferred.length > 0 && !plans.every(hasDeferNode)) return undefined;
    const steps = plans.map(firstResponseDepthOf);
    const known = steps.filter((count) => count !== undefined);
    return known.length === steps.length ? Math.max(0, ...known) : undefined;
  }

  /** Planned as a gateway does that lets enrichments come late: only queries are. */
  async #planWithoutEnrichments(
    operation: ConsumerOperation,
    planned: Exclude<PlanResult, FailedOperation>,
  ): Promise<Exclude<PlanResult, FailedOperation>> {
    const { supergraph } = this.#graph;
    const rules = this.#enrichmentRules;
    const isQuery = operationOf(operation.document).operation === OperationTypeNode.QUERY;
    if (rules === undefined || !isQuery) return planned;
    if (collectEnrichmentRules(supergraph.apiSchema, operation.document, rules).length === 0) return planned;
    const split = await planOnSupergraph(operation, supergraph, (type, field) => rules.ruleOf(type, field));
    return split.kind === 'planned' ? split : planned;
  }
}
