/**
 * @generated SignedSource<<b787bf58d22e78724e60d84aca70d975>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type relayEnrichedProductQuery$variables = {
  id: string;
};
export type relayEnrichedProductQuery$data = {
  readonly product: {
    readonly name: string;
    readonly recommended: ReadonlyArray<{
      readonly name: string;
    }> | null | undefined;
  } | null | undefined;
};
export type relayEnrichedProductQuery = {
  response: relayEnrichedProductQuery$data;
  variables: relayEnrichedProductQuery$variables;
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
    "name": "relayEnrichedProductQuery",
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
    "name": "relayEnrichedProductQuery",
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
          (v4/*:: as any*/)
        ],
        "storageKey": null
      }
    ]
  },
  "params": {
    "cacheID": "7f5cdb454a56b9b65c3748f050899fdb",
    "id": null,
    "metadata": {},
    "name": "relayEnrichedProductQuery",
    "operationKind": "query",
    "text": "query relayEnrichedProductQuery(\n  $id: ID!\n) {\n  product(id: $id) {\n    name\n    recommended(first: 2) {\n      name\n      id\n    }\n    id\n  }\n}\n"
  }
};
})();

(node as any).hash = "760d649a0329040d09fcf5cfd240dfab";

export default node;
