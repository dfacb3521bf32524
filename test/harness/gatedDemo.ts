import { expect } from '@jest/globals';
import { GatedFaultClock } from './gatedFaultClock.ts';
import { startTestGateway, type TestGatewayOptions } from './testGateway.ts';

export interface GatedDemo extends AsyncDisposable {
  /** The gateway's GraphQL endpoint. */
  readonly url: string;
  /** Lets the recommendations come, or fail. */
  release(): void;
}

export interface GatedDemoOptions extends Pick<TestGatewayOptions, 'config'> {
  readonly isFailing?: boolean;
}

/** The demo behind the gateway, with `Product.recommended` held back until `release()`; then it answers, or
 *  fails where `isFailing`. */
export async function startGatedDemo({
  isFailing = false,
  config = {},
}: GatedDemoOptions = {}): Promise<GatedDemo> {
  const gate = new GatedFaultClock();
  const faults = { recommendations: `Product.recommended=latency:1${isFailing ? ',error' : ''}` };
  const gateway = await startTestGateway({ faults, clock: gate, config });
  return {
    url: gateway.url,
    release: () => gate.open(),
    [Symbol.asyncDispose]: () => gateway.close(),
  };
}

export const productQuery = `
  query Product($id: ID!) {
    product(id: $id) {
      id
      name
      price {
        amount
        currency
      }
      ... @defer(label: "recommendations") {
        recommended(first: 2) {
          id
          name
        }
      }
    }
  }
`;

export const productVariables = { id: 'p1' };

/** What `productQuery` gives without waiting. */
export const primaryProduct = {
  id: 'p1',
  name: 'Cast-Iron Skillet, 24 cm',
  price: { amount: '77.50', currency: 'EUR' },
};

/** What `productQuery` gives later. */
export const recommended = [
  { id: 'p11', name: 'Stockpot, 24 cm' },
  { id: 'p7', name: 'Saucepan with Lid, 24 cm' },
];

/** The error of a held field that failed, as the gateway shows it to clients: none of the subgraph's words. */
export const recommendedError = {
  message: expect.not.stringContaining('Injected'),
  path: ['product', 'recommended'],
  extensions: { code: 'SUBGRAPH_ERROR' },
};
