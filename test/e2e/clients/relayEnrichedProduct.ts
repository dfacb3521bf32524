import { graphql } from 'relay-runtime';

// Only `compileRelay.ts` reads this file: see `relayProduct.ts`.
graphql`
  query relayEnrichedProductQuery($id: ID!) {
    product(id: $id) {
      name
      recommended(first: 2) {
        name
      }
    }
  }
`;
