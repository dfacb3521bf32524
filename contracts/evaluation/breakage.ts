import type { ConsumerOperation } from '../contractStore.ts';

/** One reason why one operation breaks. */
export interface Breakage {
  readonly operation: ConsumerOperation;
  /** `after rollout`: with the new supergraph and the new subgraphs. The others are breakages during the rollout.
   *  `old gateways`: gateways with the old supergraph meet the new subgraph. `new gateways`: gateways with the new
   *  supergraph meet the old subgraph. */
  readonly phase: 'after rollout' | 'old gateways' | 'new gateways';
  /** The subgraph whose versions differ; `undefined` for a breakage of the whole graph. */
  readonly subgraph: string | undefined;
  readonly message: string;
  /** The schema elements that the breakage is about. */
  readonly coordinates: readonly string[];
}
