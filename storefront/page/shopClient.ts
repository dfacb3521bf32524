import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { Defer20220824Handler } from '@apollo/client/incremental';
import { relayStylePagination } from '@apollo/client/utilities';
import { arrivalLink } from './arrivals.ts';
import { enrichmentLink } from './enrichmentLink.ts';

/** The Apollo Client of the page. Without an incremental handler it would refuse every `@defer`. */
export function createShopClient(uri: string): ApolloClient {
  const late = enrichmentLink((token) => `/enrichments/${encodeURIComponent(token)}`);
  return new ApolloClient({
    // Next to the page: it is told about an answer, and about what comes late, when Apollo Client is.
    link: ApolloLink.from([arrivalLink, late, new HttpLink({ uri })]),
    cache: new InMemoryCache({
      typePolicies: { Query: { fields: { catalog: relayStylePagination(['filter', 'sort']) } } },
    }),
    incrementalHandler: new Defer20220824Handler(),
    clientAwareness: { name: 'tributary-storefront' },
  });
}
