import type { Supergraph } from '../../supergraph/supergraph.ts';

/** Has a say in whether a supergraph is used. */
export interface SupergraphGuard {
  /** Resolves where `next` may take the place of `current`. Errors: `SupergraphRefusedError`; the signal's reason. */
  admit(next: Supergraph, current: Supergraph | undefined, signal: AbortSignal): Promise<void>;
}
