import { type ApolloClient, ApolloLink, gql } from '@apollo/client/core';
import { tap } from 'rxjs';
import {
  type EnrichmentUpdate,
  enrichmentSubscription,
  enrichmentTokenOf,
  withUpdate,
} from './enrichmentUpdates.ts';

const subscriptionDocument = gql(enrichmentSubscription);

/** A link to put before the `HttpLink`. It writes enrichment updates to the cache, so that components render them.
 *  `getClient` is called when a first response arrives. */
export function enrichmentLink(getClient: () => ApolloClient): ApolloLink {
  return new ApolloLink((operation, forward) =>
    forward(operation).pipe(
      tap(({ extensions }) => {
        const token = enrichmentTokenOf(extensions);
        if (token !== undefined) writeUpdates(getClient(), operation, token);
      }),
    ),
  );
}

function writeUpdates(client: ApolloClient, { query, variables }: ApolloLink.Operation, token: string): void {
  const updates = client.subscribe<{ readonly enrichment: EnrichmentUpdate }>({
    query: subscriptionDocument,
    variables: { token },
    fetchPolicy: 'no-cache',
  });
  updates.subscribe(({ data }) => {
    if (data === undefined || data === null) return;
    client.cache.updateQuery({ query, variables }, (cached) => cached && withUpdate(cached, data.enrichment));
  });
}
