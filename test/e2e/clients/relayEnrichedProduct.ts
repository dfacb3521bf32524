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

graphql`
  query relayEnrichedProductAndDeferQuery($id: ID!) {
    product(id: $id) {
      name
      recommended(first: 2) {
        name
      }
      ...relayEnrichedProduct_price @defer
    }
  }
`;

graphql`
  fragment relayEnrichedProduct_price on Product {
    price {
      amount
    }
  }
`;
