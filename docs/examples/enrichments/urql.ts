import type { AnyVariables, Client, DocumentInput } from '@urql/core';
import {
  type EnrichmentUpdate,
  enrichmentSubscription,
  enrichmentTokenOf,
  withUpdate,
} from './enrichmentUpdates.ts';

/** Calls `show` with the first response, and again after each update. If the updates end early, for example because
 *  the connection is lost or the token has expired, it sends the operation again, once. The client needs
 *  `fetchSubscriptions: true` or a `subscriptionExchange`. Returns a function that unsubscribes. */
export function showWithUpdates<Data, Variables extends AnyVariables>(
  client: Client,
  query: DocumentInput<Data, Variables>,
  variables: Variables,
  show: (data: Data | undefined) => void,
): () => void {
  let stop = (): void => {};
  const send = (isSentAgain: boolean): void => {
    let stopUpdates = (): void => {};
    // A cached response may have a token that has expired.
    const request = client.query<Data, Variables>(
      query,
      variables,
      isSentAgain ? { requestPolicy: 'network-only' } : {},
    );
    const answer = request.subscribe(({ data, extensions }) => {
      if (data === undefined && isSentAgain) return;
      stopUpdates();
      let shown = data;
      show(shown);
      const token = enrichmentTokenOf(extensions);
      if (token === undefined) return;
      const updates = client.subscription<{ readonly enrichment: EnrichmentUpdate }>(enrichmentSubscription, {
        token,
      });
      stopUpdates = updates.subscribe(({ data: event, error, hasNext }) => {
        const isLast = event?.enrichment.hasNext === false;
        if (error !== undefined || !(hasNext || isLast)) {
          if (isSentAgain) return;
          stop();
          send(true);
        } else if (shown !== undefined && event !== undefined) {
          shown = withUpdate(shown, event.enrichment);
          show(shown);
        }
      }).unsubscribe;
    });
    stop = () => {
      answer.unsubscribe();
      stopUpdates();
    };
  };
  send(false);
  return () => stop();
}
