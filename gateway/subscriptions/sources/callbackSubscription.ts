import type { GatewayError } from '../../errors.ts';
import {
  attemptTimeoutError,
  InvalidResponseError,
  invalidResponseError,
  isLostConnection,
  statusError,
  unreachableError,
} from '../../subgraphs/callErrors.ts';
import type {
  CancelSubgraphCall,
  SubgraphReceiver,
  SubgraphResponse,
} from '../../subgraphs/subgraphClient.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { CallbackMessage } from './callbackMessage.ts';
import { type CallbackOutcome, callbackEnvelopeBytes } from './callbackReceiver.ts';
import { HeartbeatMonitor, maxMissedHeartbeats } from './heartbeatMonitor.ts';
import { eventTooLargeProblem, readEvent } from './readEvent.ts';
import { isTransientError } from './reconnectBackoff.ts';
import { reportedFailure, reportedRefusal } from './reportedErrors.ts';
import { SubscriptionLifecycle } from './subscriptionLifecycle.ts';
import type { FlowControl, SourceEndpoint, SourceReceiver } from './subscriptionSource.ts';

interface CallbackSubscriptionOptions {
  readonly subgraph: string;
  readonly endpoint: SourceEndpoint;
  readonly receiver: SourceReceiver;
  readonly timers: Timers;
  readonly random: () => number;
  /** A new id, whose messages come to the subscription from now on. */
  registerId(subscription: CallbackSubscription): string;
  /** Whoever sends with this id is told that there is no such subscription: by that a subgraph learns to stop. */
  releaseId(id: string): void;
  /** Asks the subgraph to send with this id. The answer never comes before this has returned. */
  post(id: string, receiver: SubgraphReceiver): CancelSubgraphCall;
  onAccepted(): void;
  onEnd(): void;
}

/** One request to the subgraph to send, and what has come of it. */
interface Attempt {
  readonly id: string;
  /** The subgraph has said so, or has simply begun to send. */
  isAccepted: boolean;
  cancelCall: CancelSubgraphCall;
  cancelTimer: CancelTimer;
}

/** One subscription, over as many ids as it takes. */
export class CallbackSubscription implements FlowControl {
  readonly #options: CallbackSubscriptionOptions;
  readonly #lifecycle: SubscriptionLifecycle;
  readonly #heartbeatMonitor: HeartbeatMonitor;
  #currentAttempt: Attempt | undefined;
  #isResent = false;
  #resumeSignal: PromiseWithResolvers<void> | undefined;

  constructor(options: CallbackSubscriptionOptions) {
    const { endpoint, receiver, timers, random, onEnd } = options;
    this.#options = options;
    this.#lifecycle = new SubscriptionLifecycle({
      receiver,
      timers,
      random,
      limits: endpoint.reconnect,
      startAttempt: () => this.#subscribe(),
      endAttempt: () => this.#endAttempt(),
      onEnd: () => {
        this.resume();
        onEnd();
      },
    });
    this.#heartbeatMonitor = new HeartbeatMonitor({
      timers,
      intervalMs: endpoint.heartbeatMs,
      onMissedHeartbeats: (intervals) => this.#onMissedHeartbeats(intervals),
    });
    this.#subscribe();
  }

  cancel(): void {
    this.#lifecycle.cancel();
  }

  /** A message with the present id, whose verifier is right. */
  receive(message: CallbackMessage, size: number): CallbackOutcome | Promise<CallbackOutcome> {
    const verdict = this.#receive(message, size);
    return verdict === 'taken' && this.#resumeSignal !== undefined
      ? this.#resumeSignal.promise.then(() => verdict)
      : verdict;
  }

  /** The subgraph gets no answer to its next event until `resume`. */
  pause(): void {
    if (this.#lifecycle.isEnded) return;
    this.#resumeSignal ??= Promise.withResolvers();
    this.#heartbeatMonitor.stop();
  }

  resume(): void {
    if (this.#resumeSignal === undefined) return;
    this.#resumeSignal.resolve();
    this.#resumeSignal = undefined;
    if (this.#currentAttempt?.isAccepted === true) this.#heartbeatMonitor.start();
  }

  #receive({ action, payload, errors }: CallbackMessage, size: number): CallbackOutcome {
    this.#heartbeatMonitor.recordActivity();
    switch (action) {
      case 'check':
        return 'checked';
      case 'next':
        return this.#onNext(payload, size);
      case 'complete':
        return this.#onComplete(errors);
      default:
        return { malformed: 'The `action` of the message is none of "check", "next" and "complete".' };
    }
  }

  #subscribe(): void {
    // Known before it is sent: the first messages may come before the answer.
    const { registerId, post, timers, endpoint } = this.#options;
    const id = registerId(this);
    const attempt: Attempt = {
      id,
      isAccepted: false,
      cancelCall: post(id, {
        onResponse: (response) => {
          attempt.cancelTimer();
          this.#onResponse(attempt, response);
        },
        onError: (error) => {
          attempt.cancelTimer();
          this.#onFailure(attempt, error);
        },
      }),
      cancelTimer: timers.after(endpoint.connectTimeoutMs, () => this.#onTimeout(attempt)),
    };
    this.#currentAttempt = attempt;
  }

  #onResponse(attempt: Attempt, { data, errors, failureStatus }: SubgraphResponse): void {
    const { subgraph } = this.#options;
    if (errors !== undefined) {
      this.#lifecycle.retryOrFail(reportedRefusal(subgraph, failureStatus ?? 200, errors));
    } else if (failureStatus !== undefined) {
      this.#lifecycle.retryOrFail(
        statusError(subgraph, failureStatus, new InvalidResponseError('the answer has no errors')),
      );
    } else if (data === null) {
      this.#accept(attempt);
    } else {
      this.#failInvalid(new InvalidResponseError('the answer is a result, and no promise to call back'));
    }
  }

  #onFailure(attempt: Attempt, error: GatewayError): void {
    const isUnanswered = error.extensions.http === undefined;
    // It sends, so it has been asked, whatever became of its answer.
    if (attempt.isAccepted && isUnanswered && isTransientError(error)) return;
    if (!this.#lifecycle.wasSubscribed && this.#canResend(error)) {
      this.#isResent = true;
      this.#endAttempt();
      this.#subscribe();
      return;
    }
    this.#lifecycle.retryOrFail(error);
  }

  #onTimeout(attempt: Attempt): void {
    attempt.cancelCall();
    this.#onFailure(attempt, attemptTimeoutError(this.#options.subgraph));
  }

  /** Servers close idle connections when they like, which says nothing about this request. With another id: should
   *  the subgraph have read the first one, it will be told to stop. */
  #canResend({ cause }: GatewayError): boolean {
    return !this.#isResent && typeof cause === 'object' && cause !== null && isLostConnection(cause as Error);
  }

  #accept(attempt: Attempt): void {
    if (attempt.isAccepted) return;
    attempt.isAccepted = true;
    if (this.#resumeSignal === undefined) this.#heartbeatMonitor.start();
    this.#options.onAccepted();
    this.#lifecycle.markSubscribed();
  }

  #onNext(payload: unknown, size: number): CallbackOutcome {
    const { maxEventBytes } = this.#options.endpoint;
    const event =
      size > maxEventBytes + callbackEnvelopeBytes
        ? eventTooLargeProblem(maxEventBytes)
        : readEvent(payload, size);
    if (event instanceof Error) {
      this.#failInvalid(event);
      return { malformed: `The event cannot be used: ${event.message}.` };
    }
    if (this.#currentAttempt !== undefined) this.#accept(this.#currentAttempt);
    this.#lifecycle.next(event);
    return 'taken';
  }

  #onComplete(errors: unknown): CallbackOutcome {
    const { subgraph } = this.#options;
    const isWithoutErrors = errors === undefined || errors === null;
    const result = isWithoutErrors ? undefined : readEvent({ data: null, errors }, 0);
    if (result instanceof Error) {
      this.#failInvalid(result);
      return { malformed: `The errors cannot be read: ${result.message}.` };
    }
    const reported = result?.errors;
    if (reported === undefined) this.#lifecycle.complete();
    else this.#lifecycle.fail(reportedFailure(subgraph, reported));
    return 'completed';
  }

  #onMissedHeartbeats(intervals: number): void {
    if (intervals < maxMissedHeartbeats) return;
    this.#lifecycle.retryOrFail(
      unreachableError(this.#options.subgraph, new Error('the subgraph has sent no heartbeat')),
    );
  }

  #failInvalid(problem: Error): void {
    this.#lifecycle.fail(invalidResponseError(this.#options.subgraph, problem));
  }

  #endAttempt(): void {
    const attempt = this.#currentAttempt;
    this.#currentAttempt = undefined;
    this.#heartbeatMonitor.stop();
    if (attempt === undefined) return;
    this.#options.releaseId(attempt.id);
    attempt.cancelCall();
    attempt.cancelTimer();
  }
}
