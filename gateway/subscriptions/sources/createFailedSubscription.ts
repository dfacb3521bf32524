import { GatewayError } from '../../errors.ts';
import { SafeReceiver } from './safeReceiver.ts';
import type { SourceReceiver, SourceSubscription } from './subscriptionSource.ts';

const noopFlowControl = { pause: () => {}, resume: () => {} };

/** For what cannot even be begun: an address that is none, a source that is closed. */
export function createFailedSubscription(
  subgraph: string,
  cause: unknown,
  receiver: SourceReceiver,
): SourceSubscription {
  const delivery = new SafeReceiver(receiver);
  const message = 'The gateway could not create its request to a subgraph.';
  queueMicrotask(() =>
    delivery.error(new GatewayError('INTERNAL_SERVER_ERROR', message, { subgraph, cause })),
  );
  return { cancel: () => void delivery.cancel(), flowControl: noopFlowControl };
}
