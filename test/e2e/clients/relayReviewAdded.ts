import { graphql } from 'relay-runtime';

// Only `compileRelay.ts` reads this file: see `relayProduct.ts`.
graphql`
  subscription relayReviewAddedSubscription {
    reviewAdded {
      body
      product {
        name
        stock {
          total
        }
      }
    }
  }
`;
