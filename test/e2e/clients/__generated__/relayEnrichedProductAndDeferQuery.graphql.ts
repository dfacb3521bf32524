/**
 * @generated SignedSource<<1eb3d94a18e3474dc141970cbc84b9cf>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
import type { FragmentRefs } from "relay-runtime";
export type relayEnrichedProductAndDeferQuery$variables = {
  id: string;
};
export type relayEnrichedProductAndDeferQuery$data = {
  readonly product: {
    readonly name: string;
    readonly recommended: ReadonlyArray<{
      readonly name: string;
    }> | null | undefined;
    readonly " $fragmentSpreads": FragmentRefs<"relayEnrichedProduct_price">;
  } | null | undefined;
};
export type relayEnrichedProductAndDeferQuery = {
  response: relayEnrichedProductAndDeferQuery$data;
  variables: relayEnrichedProductAndDeferQuery$variables;
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
v3 = [
  {
    "kind": "Literal",
    "name": "first",
    "value": 2
  }
],
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
    "name": "relayEnrichedProductAndDeferQuery",
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
          {
            "alias": null,
            "args": (v3/*:: as any*/),
            "concreteType": "Product",
            "kind": "LinkedField",
            "name": "recommended",
            "plural": true,
            "selections": [
              (v2/*:: as any*/)
            ],
            "storageKey": "recommended(first:2)"
          },
          {
            "kind": "Defer",
            "selections": [
              {
                "args": null,
                "kind": "FragmentSpread",
                "name": "relayEnrichedProduct_price"
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
    "name": "relayEnrichedProductAndDeferQuery",
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
          {
            "alias": null,
            "args": (v3/*:: as any*/),
            "concreteType": "Product",
            "kind": "LinkedField",
            "name": "recommended",
            "plural": true,
            "selections": [
              (v2/*:: as any*/),
              (v4/*:: as any*/)
            ],
            "storageKey": "recommended(first:2)"
          },
          {
            "if": null,
            "kind": "Defer",
            "label": "relayEnrichedProductAndDeferQuery$defer$relayEnrichedProduct_price",
            "selections": [
              {
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
                  }
                ],
                "storageKey": null
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
    "cacheID": "c4b1d3d0693265dfbe96066a1efd360e",
    "id": null,
    "metadata": {},
    "name": "relayEnrichedProductAndDeferQuery",
    "operationKind": "query",
    "text": "query relayEnrichedProductAndDeferQuery(\n  $id: ID!\n) {\n  product(id: $id) {\n    name\n    recommended(first: 2) {\n      name\n      id\n    }\n    ...relayEnrichedProduct_price @defer(label: \"relayEnrichedProductAndDeferQuery$defer$relayEnrichedProduct_price\")\n    id\n  }\n}\n\nfragment relayEnrichedProduct_price on Product {\n  price {\n    amount\n  }\n}\n"
  }
};
})();

(node as any).hash = "1a3daa7e7d77d9c9ab1750877c063163";

export default node;
