import { graphql } from 'relay-runtime';

// Only `compileRelay.ts` reads this file. What it makes of it lies in `__generated__/` and is what the test
// imports: without Relay's compiler a tagged template means nothing.
graphql`
  query relayProductQuery($id: ID!) {
    product(id: $id) {
      name
      price {
        amount
        currency
      }
      ...relayProduct_recommended @defer(label: "recommendations")
    }
  }
`;

graphql`
  fragment relayProduct_recommended on Product {
    recommended(first: 2) {
      name
    }
  }
`;
