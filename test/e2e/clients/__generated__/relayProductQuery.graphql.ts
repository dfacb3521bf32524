/**
 * @generated SignedSource<<783bd0a452b2fc63839e6ee240b43c12>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
import type { FragmentRefs } from "relay-runtime";
export type Currency = "EUR" | "GBP" | "USD" | "%future added value";
export type relayProductQuery$variables = {
  id: string;
};
export type relayProductQuery$data = {
  readonly product: {
    readonly name: string;
    readonly price: {
      readonly amount: any;
      readonly currency: Currency;
    };
    readonly " $fragmentSpreads": FragmentRefs<"relayProduct_recommended">;
  } | null | undefined;
};
export type relayProductQuery = {
  response: relayProductQuery$data;
  variables: relayProductQuery$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "id"
  }
],
v1 = [
  {
    "kind": "Variable",
    "name": "id",
    "variableName": "id"
  }
],
v2 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "name",
  "storageKey": null
},
v3 = {
  "alias": null,
  "args": null,
  "concreteType": "Money",
  "kind": "LinkedField",
  "name": "price",
  "plural": false,
  "selections": [
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "amount",
      "storageKey": null
    },
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "currency",
      "storageKey": null
    }
  ],
  "storageKey": null
},
v4 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "id",
  "storageKey": null
};
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "relayProductQuery",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "Product",
        "kind": "LinkedField",
        "name": "product",
        "plural": false,
        "selections": [
          (v2/*:: as any*/),
          (v3/*:: as any*/),
          {
            "kind": "Defer",
            "selections": [
              {
                "args": null,
                "kind": "FragmentSpread",
                "name": "relayProduct_recommended"
              }
            ]
          }
        ],
        "storageKey": null
      }
    ],
    "type": "Query",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "relayProductQuery",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "Product",
        "kind": "LinkedField",
        "name": "product",
        "plural": false,
        "selections": [
          (v2/*:: as any*/),
          (v3/*:: as any*/),
          {
            "if": null,
            "kind": "Defer",
            "label": "relayProductQuery$defer$recommendations",
            "selections": [
              {
                "alias": null,
                "args": [
                  {
                    "kind": "Literal",
                    "name": "first",
                    "value": 2
                  }
                ],
                "concreteType": "Product",
                "kind": "LinkedField",
                "name": "recommended",
                "plural": true,
                "selections": [
                  (v2/*:: as any*/),
                  (v4/*:: as any*/)
                ],
                "storageKey": "recommended(first:2)"
              }
            ]
          },
          (v4/*:: as any*/)
        ],
        "storageKey": null
      }
    ]
  },
  "params": {
    "cacheID": "1a5ef8634ec570a59c3648fc008c47b2",
    "id": null,
    "metadata": {},
    "name": "relayProductQuery",
    "operationKind": "query",
    "text": "query relayProductQuery(\n  $id: ID!\n) {\n  product(id: $id) {\n    name\n    price {\n      amount\n      currency\n    }\n    ...relayProduct_recommended @defer(label: \"relayProductQuery$defer$recommendations\")\n    id\n  }\n}\n\nfragment relayProduct_recommended on Product {\n  recommended(first: 2) {\n    name\n    id\n  }\n}\n"
  }
};
})();

(node as any).hash = "05b2dd9f0780aa463bd9e1aea3ff466d";

export default node;
