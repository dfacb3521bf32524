import type { GatewayError } from '../../errors.ts';
import { type Flight, SingleFlight } from '../../sharing/singleFlight.ts';
import { type TextKey, TextMap } from '../../sharing/textMap.ts';
import { SharedTimer } from '../../time/sharedTimer.ts';
import type { Timers } from '../../time/timers.ts';
import { circuitOpenError, deadlineExceededError } from '../callErrors.ts';
import type { CancelSubgraphCall, SubgraphReceiver } from '../subgraphClient.ts';
import type { Call } from './call.ts';
import { type CallRequest, SharedCall, type SharedCallOptions } from './sharedCall.ts';
import { deliver, type Recipient, type Waiter } from './waiter.ts';

export interface InFlightCallRequest<C extends Call> extends CallRequest<C> {
  /** Calls with equal keys may share one response; `undefined` shares none. */
  readonly key: TextKey | undefined;
  readonly deadline: number;
  readonly raisablePriorities: Waiter['raisablePriorities'];
  readonly receiver: SubgraphReceiver;
}

/** The calls to subgraphs that are queued or under way. Requests with equal keys share one call until its response has
 *  been read. Each waiter keeps its own deadline. */
export class InFlightCalls<C extends Call> {
  readonly #options: SharedCallOptions<C>;
  readonly #singleFlight = new SingleFlight<Waiter, TextKey>(new TextMap());
  readonly #calls: SharedTimer<SharedCall<C>>;

  constructor(options: SharedCallOptions<C> & Timers) {
    this.#options = options;
    this.#calls = new SharedTimer(options);
  }

  send(request: InFlightCallRequest<C>): CancelSubgraphCall {
    const { key, subgraph, receiver, deadline, urgency, raisablePriorities, span } = request;
    const now = this.#options.now();
    if (deadline <= now) return this.reject(receiver, deadlineExceededError(subgraph));
    const waiter: Waiter = { receiver, deadline, urgency, raisablePriorities, span };
    const shared = key === undefined ? undefined : this.#singleFlight.find(key);
    if (shared !== undefined) {
      shared.join(waiter);
      return () => cancel(shared, waiter);
    }
    // After joining: a probe of the circuit breaker is under way for its joiners, too.
    if (request.policies.circuits?.admits(request.coordinates) === false)
      return this.reject(receiver, circuitOpenError(subgraph));
    const call = new SharedCall(this.#options, request, this.#calls);
    const flight =
      (key === undefined ? undefined : this.#singleFlight.tryLead(key, call)) ??
      this.#singleFlight.leadAlone(call);
    call.start(flight, waiter, now);
    return () => cancel(flight, waiter);
  }

  /** Answers with an error and without a call. As always, the receiver is not called before this has returned. */
  reject(receiver: SubgraphReceiver, error: GatewayError): CancelSubgraphCall {
    const recipient: Recipient = { receiver };
    queueMicrotask(() => deliver(recipient, error, this.#options.onReceiverFault));
    return () => {
      recipient.receiver = undefined;
    };
  }

  /** Ends every call with an error. */
  failAll(errorFor: (subgraph: string) => GatewayError): void {
    for (const call of [...this.#calls.tasks]) call.fail(errorFor(call.subgraph));
  }
}

function cancel(flight: Flight<Waiter, TextKey>, waiter: Waiter): void {
  waiter.receiver = undefined;
  flight.leave(waiter);
}
