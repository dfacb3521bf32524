import { type ApolloClient, ApolloLink, gql } from '@apollo/client/core';
import { tap } from 'rxjs';
import { type LateUpdate, lateSubscription, lateTokenOf, withUpdate } from './lateUpdates.ts';

const late = gql(lateSubscription);

/** Stands before the `HttpLink`: puts what comes late into the cache, and so into every component that shows it.
 *  `client` is asked for when the first answer is there. */
export function lateLink(client: () => ApolloClient): ApolloLink {
  return new ApolloLink((operation, forward) =>
    forward(operation).pipe(
      tap(({ extensions }) => {
        const token = lateTokenOf(extensions);
        if (token !== undefined) follow(client(), operation, token);
      }),
    ),
  );
}

function follow(client: ApolloClient, { query, variables }: ApolloLink.Operation, token: string): void {
  const updates = client.subscribe<{ readonly enrichment: LateUpdate }>({
    query: late,
    variables: { token },
    fetchPolicy: 'no-cache',
  });
  updates.subscribe(({ data }) => {
    if (data === undefined || data === null) return;
    client.cache.updateQuery({ query, variables }, (known) => known && withUpdate(known, data.enrichment));
  });
}
