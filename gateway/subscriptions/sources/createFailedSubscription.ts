import { requestCreationError } from '../../subgraphs/callErrors.ts';
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
  queueMicrotask(() => safeReceiver.error(requestCreationError(subgraph, cause)));
  return { cancel: () => void safeReceiver.cancel(), flowControl: noopFlowControl };
}
