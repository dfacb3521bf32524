import { expect } from '@jest/globals';
import { GatedFaultClock } from './gatedFaultClock.ts';
import { startTestGateway, type TestGatewayOptions } from './testGateway.ts';

interface GatedDemo extends AsyncDisposable {
  /** The gateway's GraphQL endpoint. */
  readonly url: string;
  /** Lets the recommendations arrive or fail. */
  release(): void;
}

interface GatedDemoOptions extends Pick<TestGatewayOptions, 'config'> {
  readonly isFailing?: boolean;
}

/** The demo with a gateway, in which `Product.recommended` waits for `release()`. It then resolves, or fails if
 *  `isFailing`. */
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

/** The fields of `productQuery` that do not wait. */
export const primaryProduct = {
  id: 'p1',
  name: 'Cast-Iron Skillet, 24 cm',
  price: { amount: '77.50', currency: 'EUR' },
};

/** The field of `productQuery` that arrives later. */
export const recommended = [
  { id: 'p11', name: 'Stockpot, 24 cm' },
  { id: 'p7', name: 'Saucepan with Lid, 24 cm' },
];

/** The error of a failed field as clients see it, without the subgraph's message. */
export const recommendedError = {
  message: expect.not.stringContaining('Injected'),
  path: ['product', 'recommended'],
  extensions: { code: 'SUBGRAPH_ERROR' },
};
