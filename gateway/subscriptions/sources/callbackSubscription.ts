import type { GatewayError } from '../../errors.ts';
import {
  AnswerProblem,
  attemptTimedOut,
  invalidResponse,
  isLostConnection,
  statusFailure,
  unreachable,
} from '../../subgraph-client/callFailure.ts';
import type {
  CancelSubgraphCall,
  SubgraphReceiver,
  SubgraphResponse,
} from '../../subgraph-client/subgraphClient.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { Attempts } from './attempts.ts';
import type { CallbackMessage } from './callbackMessage.ts';
import { type CallbackVerdict, callbackEnvelopeBytes } from './callbackReceiver.ts';
import { eventTooLarge, readEvent } from './readEvent.ts';
import { isPassing } from './reconnection.ts';
import { reportedFailure, reportedRefusal } from './reportedErrors.ts';
import { SilenceWatch, toleratedSilence } from './silenceWatch.ts';
import type { SourceEndpoint, SourceFlow, SourceReceiver } from './subscriptionSource.ts';

export interface CallbackSubscriptionOptions {
  readonly subgraph: string;
  readonly endpoint: SourceEndpoint;
  readonly receiver: SourceReceiver;
  readonly timers: Timers;
  readonly random: () => number;
  /** A new id, whose messages come to the subscription from now on. */
  openId(subscription: CallbackSubscription): string;
  /** Whoever sends with this id is told that there is no such subscription: by that a subgraph learns to stop. */
  closeId(id: string): void;
  /** Asks the subgraph to send with this id. The answer never comes before this has returned. */
  post(id: string, receiver: SubgraphReceiver): CancelSubgraphCall;
  onAccepted(): void;
  onOver(): void;
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
export class CallbackSubscription implements SourceFlow {
  readonly #options: CallbackSubscriptionOptions;
  readonly #attempts: Attempts;
  readonly #watch: SilenceWatch;
  #attempt: Attempt | undefined;
  #isResent = false;
  #resumed: PromiseWithResolvers<void> | undefined;

  constructor(options: CallbackSubscriptionOptions) {
    const { endpoint, receiver, timers, random, onOver } = options;
    this.#options = options;
    this.#attempts = new Attempts({
      receiver,
      timers,
      random,
      limits: endpoint.reconnect,
      again: () => this.#subscribe(),
      endAttempt: () => this.#endAttempt(),
      onOver: () => {
        this.resume();
        onOver();
      },
    });
    this.#watch = new SilenceWatch({
      timers,
      intervalMs: endpoint.heartbeatMs,
      onSilence: (intervals) => this.#onSilence(intervals),
    });
    this.#subscribe();
  }

  cancel(): void {
    this.#attempts.cancel();
  }

  /** A message with the present id, whose verifier is right. */
  receive(message: CallbackMessage, size: number): CallbackVerdict | Promise<CallbackVerdict> {
    const verdict = this.#receive(message, size);
    return verdict === 'taken' && this.#resumed !== undefined
      ? this.#resumed.promise.then(() => verdict)
      : verdict;
  }

  /** The subgraph gets no answer to its next event until `resume`. */
  pause(): void {
    if (this.#attempts.isOver) return;
    this.#resumed ??= Promise.withResolvers();
    this.#watch.stop();
  }

  resume(): void {
    if (this.#resumed === undefined) return;
    this.#resumed.resolve();
    this.#resumed = undefined;
    if (this.#attempt?.isAccepted === true) this.#watch.start();
  }

  #receive({ action, payload, errors }: CallbackMessage, size: number): CallbackVerdict {
    this.#watch.heard();
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
    const { openId, post, timers, endpoint } = this.#options;
    const id = openId(this);
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
    this.#attempt = attempt;
  }

  #onResponse(attempt: Attempt, { data, errors, failureStatus }: SubgraphResponse): void {
    const { subgraph } = this.#options;
    if (errors !== undefined) {
      this.#attempts.lose(reportedRefusal(subgraph, failureStatus ?? 200, errors));
    } else if (failureStatus !== undefined) {
      this.#attempts.lose(
        statusFailure(subgraph, failureStatus, new AnswerProblem('the answer has no errors')),
      );
    } else if (data === null) {
      this.#accept(attempt);
    } else {
      this.#refuse(new AnswerProblem('the answer is a result, and no promise to call back'));
    }
  }

  #onFailure(attempt: Attempt, error: GatewayError): void {
    const isUnanswered = error.extensions.http === undefined;
    // It sends, so it has been asked, whatever became of its answer.
    if (attempt.isAccepted && isUnanswered && isPassing(error)) return;
    if (!this.#attempts.wasSubscribed && this.#mayBeResent(error)) {
      this.#isResent = true;
      this.#endAttempt();
      this.#subscribe();
      return;
    }
    this.#attempts.lose(error);
  }

  #onTimeout(attempt: Attempt): void {
    attempt.cancelCall();
    this.#onFailure(attempt, attemptTimedOut(this.#options.subgraph));
  }

  /** Servers close idle connections when they like, which says nothing about this request. With another id: should
   *  the subgraph have read the first one, it will be told to stop. */
  #mayBeResent({ cause }: GatewayError): boolean {
    return !this.#isResent && typeof cause === 'object' && cause !== null && isLostConnection(cause as Error);
  }

  #accept(attempt: Attempt): void {
    if (attempt.isAccepted) return;
    attempt.isAccepted = true;
    if (this.#resumed === undefined) this.#watch.start();
    this.#options.onAccepted();
    this.#attempts.subscribed();
  }

  #onNext(payload: unknown, size: number): CallbackVerdict {
    const { maxEventBytes } = this.#options.endpoint;
    const event =
      size > maxEventBytes + callbackEnvelopeBytes ? eventTooLarge(maxEventBytes) : readEvent(payload, size);
    if (event instanceof Error) {
      this.#refuse(event);
      return { malformed: `The event cannot be used: ${event.message}.` };
    }
    if (this.#attempt !== undefined) this.#accept(this.#attempt);
    this.#attempts.event(event);
    return 'taken';
  }

  #onComplete(errors: unknown): CallbackVerdict {
    const { subgraph } = this.#options;
    const isWithoutErrors = errors === undefined || errors === null;
    const result = isWithoutErrors ? undefined : readEvent({ data: null, errors }, 0);
    if (result instanceof Error) {
      this.#refuse(result);
      return { malformed: `The errors cannot be read: ${result.message}.` };
    }
    const reported = result?.errors;
    if (reported === undefined) this.#attempts.complete();
    else this.#attempts.fail(reportedFailure(subgraph, reported));
    return 'completed';
  }

  #onSilence(intervals: number): void {
    if (intervals < toleratedSilence) return;
    this.#attempts.lose(unreachable(this.#options.subgraph, new Error('the subgraph has sent no heartbeat')));
  }

  #refuse(problem: Error): void {
    this.#attempts.fail(invalidResponse(this.#options.subgraph, problem));
  }

  #endAttempt(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#watch.stop();
    if (attempt === undefined) return;
    this.#options.closeId(attempt.id);
    attempt.cancelCall();
    attempt.cancelTimer();
  }
}
