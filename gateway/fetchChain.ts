import { combineObservers, type ExecutionObserver } from './execution/executionObserver.ts';
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

type ObserveExecution = NonNullable<Feature['observeExecution']>;

/** Returns what observes an execution for all features; `undefined` if no feature observes any. */
export function observersOf(features: readonly Feature[]): ObserveExecution | undefined {
  const observing = features.flatMap((feature) => feature.observeExecution?.bind(feature) ?? []);
  if (observing.length <= 1) return observing[0];
  return (operation, context, origin) =>
    combineObservers(
      observing
        .map((observe) => observe(operation, context, origin))
        .filter((observer): observer is ExecutionObserver => observer !== undefined),
    );
}
