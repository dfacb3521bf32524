import type { AnyVariables, Client, DocumentInput } from '@urql/core';
import {
  type EnrichmentUpdate,
  enrichmentSubscription,
  enrichmentTokenOf,
  withUpdate,
} from './enrichmentUpdates.ts';

/** Calls `show` with the first response, and again after each update. The client needs `fetchSubscriptions: true` or a
 *  `subscriptionExchange`. Returns a function that unsubscribes. */
export function showWithUpdates<Data, Variables extends AnyVariables>(
  client: Client,
  query: DocumentInput<Data, Variables>,
  variables: Variables,
  show: (data: Data | undefined) => void,
): () => void {
  let stopUpdates = (): void => {};
  const answer = client.query<Data, Variables>(query, variables).subscribe(({ data, extensions }) => {
    stopUpdates();
    let shown = data;
    show(shown);
    const token = enrichmentTokenOf(extensions);
    if (token === undefined) return;
    const updates = client.subscription<{ readonly enrichment: EnrichmentUpdate }>(enrichmentSubscription, {
      token,
    });
    stopUpdates = updates.subscribe((event) => {
      if (shown === undefined || event.data === undefined) return;
      shown = withUpdate(shown, event.data.enrichment);
      show(shown);
    }).unsubscribe;
  });
  return () => {
    answer.unsubscribe();
    stopUpdates();
  };
}
