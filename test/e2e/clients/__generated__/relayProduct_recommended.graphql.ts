/**
 * @generated SignedSource<<10fb1c3e108ff812069d7972ba6707ec>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ReaderFragment } from 'relay-runtime';
import type { FragmentRefs } from "relay-runtime";
export type relayProduct_recommended$data = {
  readonly recommended: ReadonlyArray<{
    readonly name: string;
  }> | null | undefined;
  readonly " $fragmentType": "relayProduct_recommended";
};
export type relayProduct_recommended$key = {
  readonly " $data"?: relayProduct_recommended$data;
  readonly " $fragmentSpreads": FragmentRefs<"relayProduct_recommended">;
};

const node: ReaderFragment = {
  "argumentDefinitions": [],
  "kind": "Fragment",
  "metadata": null,
  "name": "relayProduct_recommended",
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
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "name",
          "storageKey": null
        }
      ],
      "storageKey": "recommended(first:2)"
    }
  ],
  "type": "Product",
  "abstractKey": null
};

(node as any).hash = "8a8ce655b977b404c08a0a529a6235a4";

export default node;
