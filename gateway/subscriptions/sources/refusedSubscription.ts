import { GatewayError } from '../../errors.ts';
import { Delivery } from './delivery.ts';
import type { SourceReceiver, SourceSubscription } from './subscriptionSource.ts';

const nothingToStop = { pause: () => {}, resume: () => {} };

/** For what cannot even be begun: an address that is none, a source that is closed. */
export function refusedSubscription(
  subgraph: string,
  cause: unknown,
  receiver: SourceReceiver,
): SourceSubscription {
  const delivery = new Delivery(receiver);
  const message = 'The request to a subgraph could not be made.';
  queueMicrotask(() =>
    delivery.error(new GatewayError('INTERNAL_SERVER_ERROR', message, { subgraph, cause })),
  );
  return { cancel: () => void delivery.cancel(), flow: nothingToStop };
}
