import type { GatewayError } from '../../errors.ts';
import type { FetchSpan } from '../../telemetry/fetchSpan.ts';
import type { SubgraphReceiver, SubgraphResponse } from '../subgraphClient.ts';
import type { CallResponse } from './call.ts';
import type { RaisablePriority } from './callPriority.ts';
import type { CallUrgency } from './callUrgency.ts';

export interface Recipient {
  /** Removed before it is called and when its request is cancelled, so that no receiver is called twice. */
  receiver: SubgraphReceiver | undefined;
}

/** One request that waits for a call. */
export interface Waiter extends Recipient {
  /** In milliseconds, on the clock of the calls. */
  readonly deadline: number;
  urgency: CallUrgency;
  /** Removed when the call follows them. */
  raisablePriorities: readonly RaisablePriority[] | undefined;
  readonly span?: FetchSpan | undefined;
}

/** A receiver threw: a fault of the gateway, which must not reach the other receivers. */
export type OnReceiverFault = (fault: unknown) => void;

/** Reads the response once for each waiter, because each may write into what it gets. `first`: what was read already. */
export function deliverToAll(
  waiters: readonly Waiter[],
  first: SubgraphResponse,
  response: CallResponse,
  onFault: OnReceiverFault,
): void {
  let unused: SubgraphResponse | undefined = first;
  for (const waiter of waiters) {
    // An earlier receiver may have cancelled this one.
    if (waiter.receiver === undefined) continue;
    if (unused !== undefined) {
      const own = unused;
      unused = undefined;
      deliver(waiter, own, onFault);
    } else response.read((own) => deliver(waiter, own, onFault));
  }
}

/** Does nothing if the recipient has a result already, or has cancelled its request. */
export function deliver(
  recipient: Recipient,
  result: SubgraphResponse | GatewayError,
  onFault: OnReceiverFault,
): void {
  const { receiver } = recipient;
  recipient.receiver = undefined;
  try {
    if (result instanceof Error) receiver?.onError(result);
    else receiver?.onResponse(result);
  } catch (fault) {
    onFault(fault);
  }
}
