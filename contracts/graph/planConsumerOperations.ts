import { type DocumentNode, Kind, OperationTypeNode, print } from 'graphql';
import { type EnrichmentRules, readEnrichmentRules } from '../../gateway/enrichment/enrichmentRules.ts';
import { collectEnrichmentRules } from '../../gateway/operation/collectEnrichmentRules.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { defaultGatewaySettings, type GatewaySettings } from '../gatewaySettings.ts';
import type { ContractGraph } from './composeGraph.ts';
import { flattenPlan, type PlannedFetch, type PlannedRequest } from './flattenPlan.ts';
import { operationOf } from './operationOf.ts';
import { firstResponseDepthOf, hasDeferNode, maxPlanCost, type PlanCost, planCostOf } from './planCost.ts';
import {
  type FailedOperation,
  findRequestProblems,
  type PlanResult,
  planOnSupergraph,
} from './planOnSupergraph.ts';
import { removeInvalidSelections } from './removeInvalidSelections.ts';
import { SamePlans } from './samePlans.ts';
import { supergraphMetadataOf } from './supergraphMetadata.ts';

/** The plan of a consumer operation, or why there is none. */
export type ConsumerPlan =
  | {
      readonly kind: 'planned';
      /** One plan for each set of progressive `@override` labels that can be active, first none and last all. */
      readonly variants: readonly PlanVariant[];
      /** The largest cost of all variants. */
      readonly cost: PlanCost;
      /** Number of sequential fetches that the first response always waits for. Undefined when no step latency is
       *  known, or when it cannot be determined. */
      readonly firstResponseDepth?: number | undefined;
    }
  | RefusedOperation;

interface RefusedOperation extends FailedOperation {
  /** The fetches for the selections that the graph does not refuse. */
  readonly remainingFetches?: readonly PlannedFetch[] | undefined;
}

interface PlanVariant {
  /** The labels that are on. */
  readonly overrides: readonly string[];
  readonly fetches: readonly PlannedFetch[];
}

/** A graph and the plans of its gateway for each operation. */
export interface PlannedGraph {
  readonly graph: ContractGraph;
  readonly plans: ReadonlyMap<ConsumerOperation, ConsumerPlan>;
}

export interface PlanConsumerOperationsOptions {
  readonly onProgress?: OnProgress | undefined;
  /** With a step latency, the sequential fetches before the first response are counted. */
  readonly gatewaySettings?: GatewaySettings | undefined;
  /** Another graph with plans for these operations and settings. Plans that are the same for this graph are used again. */
  readonly known?: PlannedGraph | undefined;
}

/** `what` names the current step for people. */
type OnProgress = (done: number, total: number, what: string) => void;

/** Validates and plans every operation as a gateway does, with every condition on a variable being true. A failing
 *  operation does not stop the others. The planner's threads determine how many are planned at a time. */
export async function planConsumerOperations(
  graph: ContractGraph,
  operations: readonly ConsumerOperation[],
  { onProgress, gatewaySettings = defaultGatewaySettings, known }: PlanConsumerOperationsOptions = {},
): Promise<ReadonlyMap<ConsumerOperation, ConsumerPlan>> {
  const planner = new ConsumerPlanner(graph, gatewaySettings, known);
  const planned = new Map<ConsumerOperation, ConsumerPlan>();
  let done = 0;
  const remaining = operations.values();
  const runWorker = async (): Promise<void> => {
    for (const operation of remaining) {
      planned.set(operation, await planner.plan(operation));
      done += 1;
      onProgress?.(done, operations.length, 'planning operations');
    }
  };
  await Promise.all(Array.from({ length: planningConcurrency }, runWorker));
  return new Map(operations.map((operation) => [operation, planned.get(operation) as ConsumerPlan]));
}

/** More than there are planner threads, so that no thread is idle. */
const planningConcurrency = 8;

class ConsumerPlanner {
  readonly #graph: ContractGraph;
  readonly #gatewaySettings: GatewaySettings;
  readonly #known: PlannedGraph | undefined;
  readonly #samePlans: SamePlans | undefined;
  readonly #requests = new Map<string, PlannedRequest>();
  /** Several consumers, and several versions of one, send operations that differ in their names only. */
  readonly #plans = new Map<string, Promise<ConsumerPlan>>();
  /** Rules of the fields that gateways may deliver later. */
  readonly #enrichmentRules: EnrichmentRules | undefined;

  constructor(graph: ContractGraph, settings: GatewaySettings, known: PlannedGraph | undefined) {
    const { enrichments, waitsForAll, stepLatencyMs } = settings;
    this.#graph = graph;
    this.#known = known;
    this.#samePlans = known && new SamePlans(known.graph, graph);
    this.#gatewaySettings = settings;
    if (waitsForAll || stepLatencyMs === undefined) return;
    const { apiSchema } = graph.supergraph;
    const { document } = supergraphMetadataOf(graph);
    this.#enrichmentRules = readEnrichmentRules({ document, apiSchema, configured: enrichments }).rules;
  }

  async plan(operation: ConsumerOperation): Promise<ConsumerPlan> {
    const key = `${operation.slo.latency !== undefined} ${printWithoutName(operation.document)}`;
    const known = this.#plans.get(key);
    // Problems have locations in the file of their operation.
    if (known !== undefined && (await known).kind === 'planned') return known;
    const planning = this.#plan(operation);
    if (known === undefined) this.#plans.set(key, planning);
    return planning;
  }

  async #plan(operation: ConsumerOperation): Promise<ConsumerPlan> {
    const { supergraph } = this.#graph;
    const { limits } = this.#gatewaySettings;
    const known = this.#known?.plans.get(operation);
    if (
      known?.kind === 'planned' &&
      this.#samePlans?.includes(operation.document) &&
      findRequestProblems(operation, supergraph.apiSchema, limits).length === 0
    )
      return known;
    const planned = await planOnSupergraph(operation, supergraph, limits);
    if (planned.kind === 'failed') {
      return { ...planned, remainingFetches: await this.#remainingFetches(operation) };
    }
    const variants = this.#flatten(planned);
    return {
      kind: 'planned',
      variants,
      cost: maxPlanCost(variants.map(({ fetches }) => planCostOf(fetches))),
      firstResponseDepth: await this.#firstResponseDepth(operation, planned),
    };
  }

  #flatten({ variants }: Exclude<PlanResult, FailedOperation>): readonly PlanVariant[] {
    const { schema } = supergraphMetadataOf(this.#graph);
    return variants.map(({ overrides, plan }) => ({
      overrides,
      fetches: flattenPlan(plan, schema, this.#requests),
    }));
  }

  async #remainingFetches(operation: ConsumerOperation): Promise<readonly PlannedFetch[] | undefined> {
    const { supergraph } = this.#graph;
    const document = removeInvalidSelections(operation.document, supergraph.apiSchema);
    if (document === undefined) return undefined;
    const { limits } = this.#gatewaySettings;
    const planned = await planOnSupergraph({ ...operation, document }, supergraph, limits);
    if (planned.kind === 'failed') return undefined;
    return this.#flatten(planned).flatMap(({ fetches }) => fetches);
  }

  async #firstResponseDepth(
    operation: ConsumerOperation,
    planned: Exclude<PlanResult, FailedOperation>,
  ): Promise<number | undefined> {
    if (this.#gatewaySettings.stepLatencyMs === undefined || operation.slo.latency === undefined)
      return undefined;
    const { normalized, variants } = await this.#planWithoutEnrichments(operation, planned);
    const plans = variants.map(({ plan }) => plan);
    // The planner did not separate the deferred parts. The executor will, by the data, so the depth is unknown.
    if (normalized.deferred.length > 0 && !plans.every(hasDeferNode)) return undefined;
    const steps = plans.map(firstResponseDepthOf);
    const known = steps.filter((count) => count !== undefined);
    return known.length === steps.length ? Math.max(0, ...known) : undefined;
  }

  /** Plans a query without enrichments, as a gateway that may defer them. Only queries have enrichments. */
  async #planWithoutEnrichments(
    operation: ConsumerOperation,
    planned: Exclude<PlanResult, FailedOperation>,
  ): Promise<Exclude<PlanResult, FailedOperation>> {
    const { supergraph } = this.#graph;
    const rules = this.#enrichmentRules;
    const isQuery = operationOf(operation.document).operation === OperationTypeNode.QUERY;
    if (rules === undefined || !isQuery) return planned;
    if (collectEnrichmentRules(supergraph.apiSchema, operation.document, rules).length === 0) return planned;
    const { limits } = this.#gatewaySettings;
    const deferredPlan = await planOnSupergraph(operation, supergraph, limits, (type, field) =>
      rules.ruleOf(type, field),
    );
    return deferredPlan.kind === 'planned' ? deferredPlan : planned;
  }
}

function printWithoutName({ definitions }: DocumentNode): string {
  return definitions
    .map((definition) => {
      if (definition.kind !== Kind.OPERATION_DEFINITION) return print(definition);
      const { name: _, ...nameless } = definition;
      return print(nameless);
    })
    .join('\n');
}
