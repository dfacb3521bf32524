import type { Supergraph } from './supergraph.ts';
import type { SupergraphLease } from './supergraphHolder.ts';

/** What a transport may know of the supergraph: the current snapshot and when another takes its place. */
export interface SupergraphView {
  /** `undefined` until the first supergraph is loaded. */
  current(): Supergraph | undefined;
  /** The current snapshot, for an operation that is about to begin and releases it when its answer has ended. */
  acquire(): SupergraphLease | undefined;
  /** Calls `listener` for every supergraph that becomes current later. The result ends that. */
  onChange(listener: (supergraph: Supergraph) => void): () => void;
  /** Why the newest attempt to load a supergraph failed, in the composer's or loader's words;
   *  `undefined` when it did not fail. */
  problem(): string | undefined;
}
