import { graphql } from 'relay-runtime';

// Only `compileRelay.ts` reads this file. The test imports the compiler's output in `__generated__/`.
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
