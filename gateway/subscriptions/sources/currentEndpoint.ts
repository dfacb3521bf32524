import type { SourceEndpoint } from './subscriptionSource.ts';

/** The current endpoint of a subgraph, or its earlier one if the subgraph no longer exists. Its subscriptions are about to
 *  be ended then, by the new supergraph. */
export function currentEndpointOr(earlier: SourceEndpoint, current: () => SourceEndpoint): SourceEndpoint {
  try {
    return current();
  } catch {
    return earlier;
  }
}
