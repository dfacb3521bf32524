import type { FetchSender } from './execution/fetchSender.ts';
import type { Feature } from './feature.ts';
import type { Supergraph } from './supergraph/supergraph.ts';

/** What fetches the data of operations on a supergraph: `subgraphs`, wrapped by every feature. Made once for each
 *  supergraph. */
export function createFetchChain(
  subgraphs: FetchSender,
  features: readonly Feature[],
): (supergraph: Supergraph) => FetchSender {
  const chains = new WeakMap<Supergraph, FetchSender>();
  return (supergraph) => {
    let chain = chains.get(supergraph);
    if (chain === undefined) {
      chain = features.reduce(
        (next, feature) => feature.decorateFetches?.(next, supergraph) ?? next,
        subgraphs,
      );
      chains.set(supergraph, chain);
    }
    return chain;
  };
}
