import type { ConsumerOperation, SubgraphContract } from './contractStore.ts';
import type { Finding } from './finding.ts';
import type { GatewaySettings } from './gatewaySettings.ts';
import type { ComposedContracts, ComposedGraph, ContractGraph } from './graph/composeGraph.ts';
import type {
  ConsumerPlan,
  PlanConsumerOperationsOptions,
  PlannedGraph,
} from './graph/planConsumerOperations.ts';

/** What a check is put together from; tests give doubles. */
export interface CheckDependencies {
  /** What changed in one subgraph, as seen from it alone. */
  diffSubgraph(
    old: SubgraphContract | undefined,
    next: SubgraphContract | undefined,
  ): Promise<readonly Finding[]>;
  composeContracts(contracts: ReadonlyMap<string, SubgraphContract>): Promise<ComposedContracts>;
  /** What was composed, with a planner: the memory that a graph takes, until that is closed. */
  loadGraph(
    contracts: ReadonlyMap<string, SubgraphContract>,
    composed: ComposedContracts,
  ): Promise<ComposedGraph>;
  /** What keeps a gateway from running on the graph. */
  bootGateway(graph: ContractGraph, operations: readonly ConsumerOperation[]): Promise<readonly Finding[]>;
  planConsumerOperations(
    graph: ContractGraph,
    operations: readonly ConsumerOperation[],
    options: PlanConsumerOperationsOptions,
  ): Promise<ReadonlyMap<ConsumerOperation, ConsumerPlan>>;
  /** What the changes mean for consumers and for a rollout. */
  evaluateChange(change: GraphChange): readonly Finding[] | Promise<readonly Finding[]>;
  /** The same where they make no supergraph. */
  evaluateUncomposableChange(change: UncomposableChange): readonly Finding[] | Promise<readonly Finding[]>;
}

export interface GraphChange {
  /** Of `diffSubgraph`, for all subgraphs that changed. */
  readonly changes: readonly Finding[];
  /** The subgraphs that were agreed on before, or run; absent where there are none. */
  readonly old: PlannedGraph | undefined;
  /** What running gateways hold; `old`, unless an environment says otherwise. */
  readonly gateway: PlannedGraph | undefined;
  readonly next: PlannedGraph;
  /** All of the store. */
  readonly operations: readonly ConsumerOperation[];
  /** What is known of the gateways; nothing, where it is left out. */
  readonly gatewaySettings?: GatewaySettings | undefined;
  /** Only subgraphs change, and operations of the store may wait for others: one that did not work before is not
   *  broken by this. Otherwise the operations are part of the change. */
  readonly isRollout?: boolean | undefined;
}

export interface UncomposableChange extends Pick<GraphChange, 'changes' | 'operations'> {
  /** What running gateways hold, and go on holding. */
  readonly gateway: PlannedGraph | undefined;
  readonly next: ReadonlyMap<string, SubgraphContract>;
  /** Why there is no supergraph. */
  readonly compositionFindings: readonly Finding[];
}
