/**
 * @generated SignedSource<<bd0afef1ffc5679f6a777ad79b316a93>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ReaderFragment } from 'relay-runtime';
import type { FragmentRefs } from "relay-runtime";
export type relayEnrichedProduct_price$data = {
  readonly price: {
    readonly amount: any;
  };
  readonly " $fragmentType": "relayEnrichedProduct_price";
};
export type relayEnrichedProduct_price$key = {
  readonly " $data"?: relayEnrichedProduct_price$data;
  readonly " $fragmentSpreads": FragmentRefs<"relayEnrichedProduct_price">;
};

const node: ReaderFragment = {
  "argumentDefinitions": [],
  "kind": "Fragment",
  "metadata": null,
  "name": "relayEnrichedProduct_price",
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
  ],
  "type": "Product",
  "abstractKey": null
};

(node as any).hash = "2af3e07f75e096da5242b30dee87c509";

export default node;
