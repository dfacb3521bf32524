import { type FetchFunction, type GraphQLResponse, Observable, type SubscribeFunction } from 'relay-runtime';
import {
  type EnrichmentUpdate,
  enrichmentSubscription,
  enrichmentTokenOf,
  withUpdate,
} from './enrichmentUpdates.ts';

const subscription = {
  name: 'Enrichment',
  operationKind: 'subscription',
  text: enrichmentSubscription,
  id: null,
  cacheID: 'Enrichment',
  metadata: {},
} as const;

/** Wraps the fetch function of a network. It emits the first response, and the complete response again after each update,
 *  so that Relay writes them to its store. If the updates fail, for example because the connection is lost or the token
 *  has expired, it sends the operation again, once. `subscribe` is the subscribe function of the network. */
export function withEnrichmentUpdates(
  fetchQuery: FetchFunction,
  subscribe: (...request: Parameters<SubscribeFunction>) => Observable<GraphQLResponse>,
): FetchFunction {
  return (...request) => {
    const send = () => Observable.from<GraphQLResponse>(fetchQuery(...request));
    return send().mergeMap<GraphQLResponse>((answer) => {
      const token = 'extensions' in answer ? enrichmentTokenOf(answer.extensions) : undefined;
      if (token === undefined) return Observable.from(answer);
      let shown = answer;
      const updates = subscribe(subscription, { token }, {}).map((event) => {
        const { data } = event as { readonly data?: { readonly enrichment: EnrichmentUpdate } | null };
        if (!data) throw new Error('The enrichment has expired.');
        const { path, data: value } = data.enrichment;
        shown = withUpdate(shown, { path: ['data', ...path], data: value });
        return shown;
      });
      return Observable.from(answer).concat(updates.catch(send));
    });
  };
}
