import { isHttpUrl } from '../../config/isHttpUrl.ts';
import type { SourceEndpoint } from './subscriptionSource.ts';

/** The current endpoint of a subgraph, or its earlier one if the subgraph no longer exists or its address is invalid. In the
 *  first case, its subscriptions are about to be ended by the new supergraph. */
export function currentEndpointOr(earlier: SourceEndpoint, current: () => SourceEndpoint): SourceEndpoint {
  try {
    const endpoint = current();
    return isHttpUrl(endpoint.url) ? endpoint : earlier;
  } catch {
    return earlier;
  }
}
