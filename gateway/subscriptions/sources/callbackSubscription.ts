import type { GatewayError } from '../../errors.ts';
import {
  connectTimeoutError,
  httpStatusOf,
  InvalidResponseError,
  isLostConnection,
  statusError,
} from '../../subgraphs/callErrors.ts';
import type {
  CancelSubgraphCall,
  SubgraphReceiver,
  SubgraphResponse,
} from '../../subgraphs/subgraphClient.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { CallbackMessage } from './callbackMessage.ts';
import { type CallbackOutcome, callbackEnvelopeBytes } from './callbackReceiver.ts';
import { eventTooLargeProblem } from './readEvent.ts';
import { isTransientError } from './reconnectBackoff.ts';
import { SubscriptionLifecycle } from './subscriptionLifecycle.ts';
import type { FlowControl, SourceEndpoint, SourceReceiver } from './subscriptionSource.ts';

interface CallbackSubscriptionOptions {
  readonly subgraph: string;
  readonly endpoint: SourceEndpoint;
  readonly receiver: SourceReceiver;
  readonly timers: Timers;
  readonly random: () => number;
  /** Creates an id and routes its messages to the subscription. */
  registerId(subscription: CallbackSubscription): string;
  /** Later messages with this id are answered with 404, which tells the subgraph to stop. */
  releaseId(id: string): void;
  /** Sends the operation with this id to the subgraph. Never calls `receiver` before it has returned. */
  post(id: string, receiver: SubgraphReceiver): CancelSubgraphCall;
  onAccepted(): void;
  onEnd(): void;
}

/** One POST that asks the subgraph to send events with an id of its own. */
interface Attempt {
  readonly id: string;
  readonly cancelCall: CancelSubgraphCall;
  readonly cancelTimer: CancelTimer;
}

/** One HTTP callback subscription. Each attempt has a new id. */
export class CallbackSubscription implements FlowControl {
  readonly acknowledgesEvents = true;
  readonly #options: CallbackSubscriptionOptions;
  readonly #lifecycle: SubscriptionLifecycle;
  #currentAttempt: Attempt | undefined;
  #isResent = false;
  /** Pending while the subscription is paused. */
  #resumed: PromiseWithResolvers<void> | undefined;

  constructor(options: CallbackSubscriptionOptions) {
    const { onEnd } = options;
    this.#options = options;
    this.#lifecycle = new SubscriptionLifecycle({
      ...options,
      startAttempt: () => this.#startAttempt(),
      endAttempt: () => this.#endAttempt(),
      onEnd: () => {
        this.resume();
        onEnd();
      },
    });
    this.#startAttempt();
  }

  cancel(): void {
    this.#lifecycle.cancel();
  }

  /** Processes a message with the current id and a valid verifier. */
  receive(message: CallbackMessage, size: number): CallbackOutcome | Promise<CallbackOutcome> {
    const outcome = this.#process(message, size);
    return outcome === 'accepted' && this.#resumed !== undefined
      ? this.#resumed.promise.then(() => outcome)
      : outcome;
  }

  /** Ends the subscription because of an event over `maxEventBytes`. Returns the problem. */
  failTooLarge(): Error {
    const problem = eventTooLargeProblem(this.#options.endpoint.maxEventBytes);
    this.#lifecycle.failInvalid(problem);
    return problem;
  }

  /** Until `resume`, the subgraph gets no answer to its next event. */
  pause(): void {
    if (this.#lifecycle.isEnded) return;
    this.#resumed ??= Promise.withResolvers();
    this.#lifecycle.pause();
  }

  resume(): void {
    this.#resumed?.resolve();
    this.#resumed = undefined;
    this.#lifecycle.resume();
  }

  #process({ action, payload, errors }: CallbackMessage, size: number): CallbackOutcome {
    this.#lifecycle.recordActivity();
    switch (action) {
      case 'check':
        return 'checked';
      case 'next':
        return this.#onNext(payload, size);
      case 'complete': {
        const problem = this.#lifecycle.end(errors);
        return problem === undefined
          ? 'completed'
          : { malformed: `The errors cannot be read: ${problem.message}.` };
      }
      default:
        return { malformed: 'The `action` of the message must be "check", "next" or "complete".' };
    }
  }

  #onNext(payload: unknown, size: number): CallbackOutcome {
    const { maxEventBytes } = this.#options.endpoint;
    const isTooLarge = size > maxEventBytes + callbackEnvelopeBytes;
    const problem = isTooLarge ? this.failTooLarge() : this.#lifecycle.next(payload, size);
    return problem === undefined
      ? 'accepted'
      : { malformed: `The event cannot be used: ${problem.message}.` };
  }

  #startAttempt(): void {
    const { subgraph, registerId, post, timers, endpoint } = this.#options;
    // The id is registered before the POST is sent: the first messages may arrive before its answer.
    const id = registerId(this);
    const attempt: Attempt = {
      id,
      cancelCall: post(id, {
        onResponse: (response) => {
          attempt.cancelTimer();
          this.#onResponse(response);
        },
        onError: (error) => {
          attempt.cancelTimer();
          this.#onFailure(error);
        },
      }),
      cancelTimer: timers.after(endpoint.connectTimeoutMs, () => {
        attempt.cancelCall();
        this.#onFailure(connectTimeoutError(subgraph));
      }),
    };
    this.#currentAttempt = attempt;
  }

  #onResponse({ data, errors, failureStatus }: SubgraphResponse): void {
    if (errors !== undefined) {
      this.#lifecycle.refuse(failureStatus ?? 200, errors);
    } else if (failureStatus !== undefined) {
      const problem = new InvalidResponseError('the answer has no errors');
      this.#lifecycle.retryOrFail(statusError(this.#options.subgraph, failureStatus, problem));
    } else if (data === null) {
      this.#lifecycle.markSubscribed();
    } else {
      this.#lifecycle.failInvalid(
        new InvalidResponseError('the answer is a result instead of the promise to call back'),
      );
    }
  }

  #onFailure(error: GatewayError): void {
    const isUnanswered = httpStatusOf(error) === undefined;
    // The subgraph sends events, so it has received the POST although its response was lost.
    if (this.#lifecycle.isSubscribed && isUnanswered && isTransientError(error)) return;
    if (!this.#lifecycle.wasSubscribed && this.#canResend(error)) {
      this.#isResent = true;
      this.#endAttempt();
      this.#startAttempt();
      return;
    }
    this.#lifecycle.retryOrFail(error);
  }

  /** Servers may close an idle connection at any time, which says nothing about this request. The POST is sent again
   *  with another id: if the subgraph has read the first one, it gets a 404 for the old id and stops. */
  #canResend({ cause }: GatewayError): boolean {
    return !this.#isResent && typeof cause === 'object' && cause !== null && isLostConnection(cause as Error);
  }

  #endAttempt(): void {
    const attempt = this.#currentAttempt;
    this.#currentAttempt = undefined;
    if (attempt === undefined) return;
    this.#options.releaseId(attempt.id);
    attempt.cancelCall();
    attempt.cancelTimer();
  }
}
