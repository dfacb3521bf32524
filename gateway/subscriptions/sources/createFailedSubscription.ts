import { GatewayError } from '../../errors.ts';
import { SafeReceiver } from './safeReceiver.ts';
import type { SourceReceiver, SourceSubscription } from './subscriptionSource.ts';

const noopFlowControl = { pause: () => {}, resume: () => {} };

/** A subscription that could not be started, such as at an invalid URL or with a closed source. Reports the error after the
 *  function has returned. */
export function createFailedSubscription(
  subgraph: string,
  cause: unknown,
  receiver: SourceReceiver,
): SourceSubscription {
  const safeReceiver = new SafeReceiver(receiver);
  const message = 'The gateway could not create its request to a subgraph.';
  queueMicrotask(() =>
    safeReceiver.error(new GatewayError('INTERNAL_SERVER_ERROR', message, { subgraph, cause })),
  );
  return { cancel: () => void safeReceiver.cancel(), flowControl: noopFlowControl };
}
