import type { FetchSender } from './execution/fetchSender.ts';
import type { Feature } from './feature.ts';
import type { Supergraph } from './supergraph/supergraph.ts';

/** Returns the fetch sender of a supergraph: `subgraphs`, decorated by every feature. Creates it once per supergraph. */
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
