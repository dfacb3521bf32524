import type { ConsumerOperation } from '../contractStore.ts';

/** Something that goes wrong for one operation. */
export interface Breakage {
  readonly operation: ConsumerOperation;
  /** `in the end`: with the new supergraph and the new subgraphs. Otherwise while not everything is rolled out: gateways
   *  with the old supergraph before the new subgraph, or with the new one before the old. */
  readonly phase: 'after rollout' | 'old gateways' | 'new gateways';
  /** Whose versions it is about; `undefined` for what the whole graph does. */
  readonly subgraph: string | undefined;
  readonly message: string;
  /** Parts of the schema that it is about. */
  readonly coordinates: readonly string[];
}
