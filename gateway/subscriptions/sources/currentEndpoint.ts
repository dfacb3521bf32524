import type { SourceEndpoint } from './subscriptionSource.ts';

/** Where a subgraph is by now, or where it was when it is gone: who still subscribes there is about to be told. */
export function currentEndpointOr(earlier: SourceEndpoint, present: () => SourceEndpoint): SourceEndpoint {
  try {
    return present();
  } catch {
    return earlier;
  }
}
