import type { ConsumerOperation, Contracts, SubgraphContract } from './contractStore.ts';
import type { Finding } from './finding.ts';
import type { GatewaySettings } from './gatewaySettings.ts';
import type { ComposedContracts, ComposedGraph, ContractGraph } from './graph/composeGraph.ts';
import type {
  ConsumerPlan,
  PlanConsumerOperationsOptions,
  PlannedGraph,
} from './graph/planConsumerOperations.ts';

/** The steps of a check. Tests replace them with fakes. */
export interface CheckSteps {
  /** Compares two versions of one subgraph, without regard to the others. */
  diffSubgraph(
    old: SubgraphContract | undefined,
    next: SubgraphContract | undefined,
  ): Promise<readonly Finding[]>;
  composeContracts(contracts: Contracts): Promise<ComposedContracts>;
  /** Loads a composed supergraph and starts its planner. The planner holds the graph in memory until it is closed. */
  loadGraph(
    contracts: Contracts,
    composed: ComposedContracts,
    gatewaySettings: GatewaySettings,
  ): Promise<ComposedGraph>;
  /** Starts a gateway on the graph. Returns why it cannot serve the operations. */
  bootGateway(
    graph: ContractGraph,
    operations: readonly ConsumerOperation[],
    gatewaySettings: GatewaySettings,
  ): Promise<readonly Finding[]>;
  planConsumerOperations(
    graph: ContractGraph,
    operations: readonly ConsumerOperation[],
    options: PlanConsumerOperationsOptions,
  ): Promise<ReadonlyMap<ConsumerOperation, ConsumerPlan>>;
  /** Rates the changes by what they break for consumers and during a rollout. */
  evaluateChange(change: GraphChange): readonly Finding[] | Promise<readonly Finding[]>;
  /** Rates changes whose subgraphs do not compose to a supergraph. */
  evaluateUncomposableChange(change: UncomposableChange): readonly Finding[] | Promise<readonly Finding[]>;
}

export interface GraphChange {
  /** Findings of `diffSubgraph` for every changed subgraph. */
  readonly changes: readonly Finding[];
  /** The baseline: the subgraphs that were agreed on before or that run. Undefined when there is none. */
  readonly old: PlannedGraph | undefined;
  /** The running subgraphs of an environment, whether or not they compose. What breaks without the changes as well, because
   *  gateways have other versions of these subgraphs, is not caused by the changes. Undefined: `old` is the only
   *  baseline. */
  readonly running?: Contracts | undefined;
  /** The graph of the running gateways: that of `old`, unless an environment names other versions. */
  readonly gateway: PlannedGraph | undefined;
  readonly next: PlannedGraph;
  /** All operations of the store. */
  readonly operations: readonly ConsumerOperation[];
  /** What is known of the gateways. Omitted: nothing. */
  readonly gatewaySettings?: GatewaySettings | undefined;
  /** Only subgraphs change. Operations of the store may wait for another change, so one that failed before is not
   *  broken by this one. Otherwise the operations are part of the change. */
  readonly isRollout?: boolean | undefined;
}

export interface UncomposableChange extends Pick<GraphChange, 'changes' | 'operations'> {
  /** The graph that running gateways hold, and keep. */
  readonly gateway: PlannedGraph | undefined;
  readonly next: Contracts;
  /** Why the subgraphs do not compose. */
  readonly compositionFindings: readonly Finding[];
  /** Why the subgraphs that a candidate replaces do not compose either. Omitted: they do. */
  readonly earlierCompositionFindings?: readonly Finding[] | undefined;
}
