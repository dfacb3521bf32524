import type { GatewayError } from '../../errors.ts';
import { connectTimeoutError, invalidResponseError, unreachableError } from '../../subgraphs/callErrors.ts';
import type { SubgraphErrorEntry } from '../../subgraphs/subgraphClient.ts';
import type { Timers } from '../../time/timers.ts';
import { HeartbeatMonitor, maxMissedHeartbeats } from './heartbeatMonitor.ts';
import { readEvent } from './readEvent.ts';
import { isTransientError, ReconnectBackoff } from './reconnectBackoff.ts';
import { reportedFailure, reportedRefusal } from './reportedErrors.ts';
import { SafeReceiver } from './safeReceiver.ts';
import type { SourceEndpoint, SourceReceiver } from './subscriptionSource.ts';

interface SubscriptionLifecycleOptions {
  readonly subgraph: string;
  readonly endpoint: SourceEndpoint;
  readonly receiver: SourceReceiver;
  readonly timers: Timers;
  readonly random: () => number;
  /** Makes another attempt after a lost connection. The owner makes the first attempt itself. */
  startAttempt(): void;
  /** Ends the current attempt, if there is one. */
  endAttempt(): void;
  /** Whether the subgraph owes heartbeats on the current connection; always, when omitted. */
  expectsHeartbeats?(): boolean;
  /** The subgraph accepted an attempt. */
  onAccepted(): void;
  /** Called once when the subscription ends in any way, before the receiver is notified. */
  onEnd(): void;
}

/** `initial`: no attempt was accepted yet. `subscribed`: the current attempt was accepted. `interrupted`: an accepted
 *  attempt has ended, and the current one is not accepted yet. */
type Phase = 'initial' | 'subscribed' | 'interrupted';

/** The state of one subscription over its connection attempts: backoff, heartbeats, and what its receiver is notified
 *  of. */
export class SubscriptionLifecycle {
  readonly #options: SubscriptionLifecycleOptions;
  readonly #receiver: SafeReceiver;
  readonly #backoff: ReconnectBackoff;
  readonly #heartbeatMonitor: HeartbeatMonitor;
  #phase: Phase = 'initial';
  #isPaused = false;
  /** Whether the current connection was silent for so long before the subgraph owed heartbeats: those that it sends are
   *  farther apart. */
  #isSilenceUsual = false;

  constructor(options: SubscriptionLifecycleOptions) {
    const { subgraph, endpoint, receiver, timers, random, expectsHeartbeats } = options;
    this.#options = options;
    this.#receiver = new SafeReceiver(receiver);
    this.#backoff = new ReconnectBackoff({ timers, random, limits: endpoint.reconnect });
    this.#heartbeatMonitor = new HeartbeatMonitor({
      timers,
      intervalMs: endpoint.heartbeatMs,
      onMissedHeartbeats: (intervals) => {
        if (intervals < maxMissedHeartbeats || this.#isSilenceUsual) return;
        if (expectsHeartbeats?.() === false) {
          this.#isSilenceUsual = true;
          return;
        }
        const problem = new Error(`the subgraph sent no heartbeat for ${intervals} intervals`);
        this.retryOrFail(unreachableError(subgraph, problem));
      },
    });
  }

  get isEnded(): boolean {
    return this.#receiver.isEnded;
  }

  /** Whether the current attempt was accepted. */
  get isSubscribed(): boolean {
    return this.#phase === 'subscribed';
  }

  /** Whether the current or an earlier attempt was accepted. */
  get wasSubscribed(): boolean {
    return this.#phase !== 'initial';
  }

  /** The subgraph accepted the current attempt. Idempotent. */
  markSubscribed(): void {
    if (this.isSubscribed) return;
    this.#phase = 'subscribed';
    this.#isSilenceUsual = false;
    if (!this.#isPaused) this.#heartbeatMonitor.start();
    this.#options.onAccepted();
    this.#backoff.markConnected();
    this.#receiver.markSubscribed();
  }

  /** The subgraph sent something. */
  recordActivity(): void {
    this.#heartbeatMonitor.recordActivity();
  }

  /** Nothing is read while paused, so heartbeats are not expected. */
  pause(): void {
    this.#isPaused = true;
    this.#heartbeatMonitor.stop();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.isSubscribed) this.#heartbeatMonitor.start();
  }

  /** Delivers parsed JSON of `size` bytes as an event. If it is not a GraphQL result, ends the subscription and returns
   *  the problem. */
  next(result: unknown, size: number): Error | undefined {
    const event = readEvent(result, size);
    if (event instanceof Error) {
      this.failInvalid(event);
      return event;
    }
    this.markSubscribed();
    this.#backoff.reset();
    this.#receiver.next(event);
    return undefined;
  }

  /** The subgraph ended the subscription, with `errors` (parsed JSON) if it failed. Returns the problem if the errors are
   *  malformed. */
  end(errors?: unknown): Error | undefined {
    const result = readEvent({ data: null, errors }, 0);
    if (result instanceof Error) {
      this.failInvalid(result);
      return result;
    }
    if (result.errors === undefined) {
      this.#end();
      this.#receiver.complete();
    } else {
      this.fail(reportedFailure(this.#options.subgraph, result.errors));
    }
    return undefined;
  }

  /** The subgraph refused the current attempt with this HTTP status and errors. */
  refuse(status: number, errors: readonly SubgraphErrorEntry[]): void {
    this.retryOrFail(reportedRefusal(this.#options.subgraph, status, errors));
  }

  /** The current attempt was not accepted in time. */
  timeOut(): void {
    this.retryOrFail(connectTimeoutError(this.#options.subgraph));
  }

  failInvalid(problem: Error): void {
    this.fail(invalidResponseError(this.#options.subgraph, problem));
  }

  /** The current attempt failed. Schedules another one if an attempt was accepted before, the error is transient and
   *  `reconnect.attempts` allows it; otherwise ends the subscription. */
  retryOrFail(error: GatewayError): void {
    this.#endAttempt();
    const { startAttempt } = this.#options;
    const retries = this.wasSubscribed && isTransientError(error) && this.#backoff.schedule(startAttempt);
    if (retries) this.#receiver.interrupt(error);
    else this.fail(error);
  }

  fail(error: GatewayError): void {
    this.#end();
    this.#receiver.error(error);
  }

  /** Ends the subscription without notifying the receiver. Idempotent. */
  cancel(): void {
    if (this.isEnded) return;
    this.#receiver.cancel();
    this.#end();
  }

  #endAttempt(): void {
    if (this.isSubscribed) this.#phase = 'interrupted';
    this.#heartbeatMonitor.stop();
    this.#options.endAttempt();
  }

  #end(): void {
    this.#endAttempt();
    this.#backoff.stop();
    this.#options.onEnd();
  }
}
