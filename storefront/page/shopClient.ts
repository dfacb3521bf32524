import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { Defer20220824Handler } from '@apollo/client/incremental';
import { relayStylePagination } from '@apollo/client/utilities';
import { arrivalLink } from './arrivals.ts';
import { enrichmentLink } from './enrichmentLink.ts';

/** Creates the page's Apollo Client. Without an incremental handler it would refuse every `@defer`. */
export function createShopClient(uri: string): ApolloClient {
  const enrichments = enrichmentLink((token) => `/enrichments/${encodeURIComponent(token)}`);
  return new ApolloClient({
    // The recorder is closest to Apollo Client, so both see each response and each enrichment at the same time.
    link: ApolloLink.from([arrivalLink, enrichments, new HttpLink({ uri })]),
    cache: new InMemoryCache({
      typePolicies: { Query: { fields: { catalog: relayStylePagination(['filter', 'sort']) } } },
    }),
    incrementalHandler: new Defer20220824Handler(),
    clientAwareness: { name: 'tributary-storefront' },
  });
}
