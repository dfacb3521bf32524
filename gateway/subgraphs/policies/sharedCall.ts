import type { GatewayError } from '../../errors.ts';
import type { Flight, Leader } from '../../sharing/singleFlight.ts';
import type { TextKey } from '../../sharing/textMap.ts';
import type { FetchSpan } from '../../telemetry/fetchSpan.ts';
import {
  attemptTimeoutError,
  circuitOpenError,
  deadlineExceededError,
  overloadedError,
} from '../callErrors.ts';
import type { RequestCoordinates, SubgraphReceiver, SubgraphResponse } from '../subgraphClient.ts';
import type { AttemptEnd, Call, CallOutcome, CallResponse } from './call.ts';
import { CallAttempt } from './callAttempt.ts';
import type { CallPolicies } from './callPolicies.ts';
import type { CallPriority, RaisablePriority } from './callPriority.ts';
import type { DropReason, QueuedCall } from './callQueue.ts';
import { type CallUrgency, mostUrgentOf, raiseUrgency } from './callUrgency.ts';

export interface SharedCallOptions<C extends Call> {
  /** Milliseconds, on the clock of the deadlines. */
  now(): number;
  /** Returns a function that stops the timer. */
  setTimer(fire: () => void, delayMs: number): () => void;
  /** A receiver or an observer threw: a fault of the gateway, which must not reach the other receivers. */
  onReceiverFault(fault: unknown): void;
  /** Called for each attempt. `receivers`: how many requests waited for the call so far. */
  onCallEnd?: ((call: C, outcome: CallOutcome, receivers: number) => void) | undefined;
  /** A failed call will be sent again. */
  onRetry?: ((subgraph: string) => void) | undefined;
  /** A request joins a call of another one. */
  onJoin?: ((subgraph: string) => void) | undefined;
  /** A slow call is sent a second time. */
  onHedge?: ((subgraph: string) => void) | undefined;
}

/** What is known of a call at the moment in which an attempt starts. */
export interface CallStartContext<C extends Call> {
  /** No first response waits for the call. */
  readonly isDeferred: boolean;
  /** The latest deadline of all waiters. */
  readonly deadline: number;
  /** The attempt that failed, or that takes long. */
  readonly previous: C | undefined;
}

export interface CallRequest<C extends Call> {
  readonly subgraph: string;
  /** Milliseconds from when an attempt leaves the queue, connecting included. */
  readonly attemptTimeoutMs: number;
  readonly urgency: CallUrgency;
  /** The request may be sent more than once. */
  readonly isIdempotent: boolean;
  /** See `CircuitBreakers`. */
  readonly coordinates?: RequestCoordinates | undefined;
  readonly policies: CallPolicies;
  /** Of the fetch that started the call. */
  readonly span?: FetchSpan | undefined;
  createCall(start: CallStartContext<C>): C;
}

export interface Recipient {
  /** Removed before it is called and when its request is cancelled, so that no receiver is called twice. */
  receiver: SubgraphReceiver | undefined;
}

/** One request that waits for a call. */
export interface Waiter extends Recipient {
  readonly deadline: number;
  urgency: CallUrgency;
  /** Removed when the call follows them. */
  raisablePriorities: readonly RaisablePriority[] | undefined;
  readonly span?: FetchSpan | undefined;
}

export function deliverError(
  recipient: Recipient,
  error: GatewayError,
  onFault: (fault: unknown) => void,
): void {
  const { receiver } = recipient;
  recipient.receiver = undefined;
  try {
    receiver?.onError(error);
  } catch (fault) {
    onFault(fault);
  }
}

function deliverResponse(
  recipient: Recipient,
  response: SubgraphResponse,
  onFault: (fault: unknown) => void,
): void {
  const { receiver } = recipient;
  recipient.receiver = undefined;
  try {
    receiver?.onResponse(response);
  } catch (fault) {
    onFault(fault);
  }
}

// Longer delays make setTimeout fire at once.
const maxTimerMs = 2 ** 31 - 1;

type State =
  /** Waits for a slot. */
  | { readonly kind: 'queued' }
  /** The first attempt and perhaps its hedge. */
  | { readonly kind: 'under way'; readonly timeoutAt: number; readonly hedgeAt: number }
  /** The last attempt failed. */
  | { readonly kind: 'backing off'; readonly retryAt: number }
  | { readonly kind: 'ended' };

/** One call, its attempts, and the requests that wait for it. One timer, set to what is due first. */
export class SharedCall<C extends Call> implements QueuedCall, Leader<Waiter> {
  readonly #options: SharedCallOptions<C>;
  readonly #request: CallRequest<C>;
  readonly #onEnd: (call: SharedCall<C>) => void;
  #state: State = { kind: 'queued' };
  #urgency: CallUrgency;
  #attempts: CallAttempt<C>[] = [];
  #previous: C | undefined;
  /** Attempts that were sent so far, without hedges. */
  #attemptCount = 0;
  #flight: Flight<Waiter, TextKey> | undefined;
  #receiverCount = 0;
  #timerDueAt = Number.POSITIVE_INFINITY;
  #stopTimer: (() => void) | undefined;

  constructor(options: SharedCallOptions<C>, request: CallRequest<C>, onEnd: (call: SharedCall<C>) => void) {
    this.#options = options;
    this.#request = request;
    this.#onEnd = onEnd;
    this.#urgency = request.urgency;
  }

  get subgraph(): string {
    return this.#request.subgraph;
  }

  get priority(): CallPriority {
    return this.#urgency.priority;
  }

  get rank(): number {
    return this.#urgency.rank;
  }

  get earliestDeadline(): number {
    return this.#urgency.earliestDeadline;
  }

  get latestDeadline(): number {
    let latest = 0;
    for (const { deadline } of this.#waiters) latest = Math.max(latest, deadline);
    return latest;
  }

  get isDeferred(): boolean {
    return this.#urgency.isDeferred;
  }

  get #waiters(): readonly Waiter[] {
    return this.#flight?.joiners ?? noWaiters;
  }

  start(flight: Flight<Waiter, TextKey>, waiter: Waiter): void {
    this.#flight = flight;
    flight.add(waiter);
    this.#receiverCount = 1;
    this.#enterQueue();
  }

  #enterQueue(): void {
    this.#state = { kind: 'queued' };
    if (this.#request.policies.queue.tryStart(this)) {
      this.onTurn();
      return;
    }
    // The queue may have dropped it.
    if ((this.#state as State).kind !== 'queued') return;
    this.#setTimer();
    for (const waiter of this.#waiters) this.#followPriority(waiter);
  }

  onTurn(): void {
    const { policies, attemptTimeoutMs, isIdempotent } = this.#request;
    const now = this.#options.now();
    this.#state = {
      kind: 'under way',
      timeoutAt: now + attemptTimeoutMs,
      hedgeAt: now + ((isIdempotent ? policies.hedge?.delayMs : undefined) ?? Number.POSITIVE_INFINITY),
    };
    if (this.#attemptCount === 0) {
      policies.retry?.onCall();
      policies.hedge?.onCall();
    }
    this.#attemptCount += 1;
    this.#startAttempt();
  }

  /** Starts an attempt in a slot of the queue. */
  #startAttempt(): void {
    const { subgraph, policies, coordinates } = this.#request;
    const { isDeferred, latestDeadline: deadline } = this;
    const permits = policies.circuits === undefined ? [] : policies.circuits.acquire(coordinates);
    const isExpired = deadline <= this.#options.now();
    if (permits === undefined || isExpired) {
      policies.queue.release(isDeferred);
      if (permits !== undefined) policies.circuits?.record(permits, undefined, coordinates);
      if (this.#attempts.length === 0)
        this.#failLater(isExpired ? deadlineExceededError(subgraph) : circuitOpenError(subgraph));
      return;
    }
    const previous = this.#attempts.at(-1)?.call ?? this.#previous;
    const call = this.#request.createCall({ isDeferred, deadline, previous });
    const { now } = this.#options;
    const attempt = new CallAttempt({ call, permits, coordinates, isDeferred, policies, now }, this);
    this.#attempts.push(attempt);
    this.#setTimer();
    call.start(attempt);
  }

  onDrop(reason: DropReason): void {
    this.#failLater(overloadedError(this.subgraph, reason));
  }

  /** Fails a call that is not in the queue, in a microtask: `send` of this or of another request may still run, and receivers
   *  must not be called before it has returned. */
  #failLater(error: GatewayError): void {
    this.#state = { kind: 'ended' };
    const waiters = this.#finish(error.code);
    queueMicrotask(() => this.#failWaiters(waiters, error));
  }

  onJoin(waiter: Waiter): void {
    this.#receiverCount += 1;
    this.#options.onJoin?.(this.subgraph);
    waiter.span?.onJoin(this.#request.span);
    if (this.#state.kind === 'queued') {
      this.#setUrgency(mostUrgentOf(this.#urgency, waiter.urgency));
      this.#followPriority(waiter);
    }
    this.#setTimer();
  }

  onLeave(): void {
    if (this.#waiters.length > 0) this.#recomputeUrgency();
    else this.#finish('cancelled');
  }

  #followPriority(waiter: Waiter): void {
    const raisables = waiter.raisablePriorities ?? [];
    waiter.raisablePriorities = undefined;
    for (const raisable of raisables) {
      raisable.onRaise((priority) => {
        if (waiter.receiver === undefined) return;
        waiter.urgency = raiseUrgency(waiter.urgency, priority);
        if (this.#state.kind === 'queued') this.#setUrgency(mostUrgentOf(this.#urgency, waiter.urgency));
      });
    }
  }

  #setUrgency(urgency: CallUrgency): void {
    const { rank, earliestDeadline, isDeferred } = urgency;
    if (rank === this.rank && earliestDeadline === this.earliestDeadline && isDeferred === this.isDeferred)
      return;
    this.#request.policies.queue.reprioritize(this, () => {
      this.#urgency = urgency;
    });
  }

  /** A waiter has left. */
  #recomputeUrgency(): void {
    if (this.#state.kind !== 'queued') return;
    this.#setUrgency(this.#waiters.map(({ urgency }) => urgency).reduce(mostUrgentOf));
  }

  /** While a response is read, requests may still join, and deadlines may still pass. */
  onAttemptResponse(attempt: CallAttempt<C>, response: CallResponse): void {
    const { status } = attempt.call;
    const isSuccess = status === undefined || (status >= 200 && status < 300);
    if (isSuccess) this.#cancelOthers(attempt);
    attempt.read(response, (first) => {
      const end = attempt.endWith(first);
      if (!isSuccess && this.#continuesAfter(attempt, end)) return;
      if (first instanceof Error) this.#failWaiters(this.#finish(first.code, end), first);
      else this.#deliver(this.#finish('answered', end), first, response);
    });
  }

  onAttemptFailure(attempt: CallAttempt<C>, error: GatewayError): void {
    const end = attempt.endWith(error);
    if (!this.#continuesAfter(attempt, end)) this.#failWaiters(this.#finish(error.code, end), error);
  }

  /** Whether another attempt is under way, or will be sent. */
  #continuesAfter(failed: CallAttempt<C>, end: AttemptEnd): boolean {
    if (this.#attempts.length === 1) return this.#backOff(end);
    this.#endAttempt(failed, end);
    return true;
  }

  /** Ends the attempts, and waits for the next one, if there may be one. */
  #backOff(end: AttemptEnd): boolean {
    const { subgraph, isIdempotent, policies, coordinates } = this.#request;
    this.#previous = this.#attempts.at(-1)?.call;
    this.#endAttempts(end);
    // This failure may have opened the circuit.
    if (!isIdempotent || policies.circuits?.admits(coordinates) === false) return false;
    const now = this.#options.now();
    const delayMs = policies.retry?.takeRetry(end, this.#attemptCount, this.latestDeadline - now);
    if (delayMs === undefined) return false;
    this.#state = { kind: 'backing off', retryAt: now + delayMs };
    this.#options.onRetry?.(subgraph);
    this.#request.span?.onRetry();
    this.#setTimer();
    return true;
  }

  /** Ends the call with an error. */
  fail(error: GatewayError): void {
    this.#failWaiters(this.#finish(error.code), error);
  }

  /** Reads the response once for each waiter: each may write into what it gets. */
  #deliver(waiters: readonly Waiter[], first: SubgraphResponse, response: CallResponse): void {
    let unused: SubgraphResponse | undefined = first;
    const { onReceiverFault } = this.#options;
    for (const waiter of waiters) {
      // An earlier receiver may have cancelled this one.
      if (waiter.receiver === undefined) continue;
      if (unused !== undefined) {
        const own = unused;
        unused = undefined;
        deliverResponse(waiter, own, onReceiverFault);
        continue;
      }
      response.read((own) => {
        if (own instanceof Error) deliverError(waiter, own, onReceiverFault);
        else deliverResponse(waiter, own, onReceiverFault);
      });
    }
  }

  /** Sets the timer to the first deadline of a waiter, or to what the state waits for. */
  #setTimer(): void {
    let dueAt = this.#nextStepAt;
    for (const { deadline } of this.#waiters) dueAt = Math.min(dueAt, deadline);
    if (dueAt === this.#timerDueAt) return;
    this.#stopTimer?.();
    this.#timerDueAt = dueAt;
    const delayMs = Math.min(Math.max(0, Math.ceil(dueAt - this.#options.now())), maxTimerMs);
    this.#stopTimer = this.#options.setTimer(this.#onTimer, delayMs);
  }

  get #nextStepAt(): number {
    const state = this.#state;
    if (state.kind === 'under way') return Math.min(state.timeoutAt, state.hedgeAt);
    return state.kind === 'backing off' ? state.retryAt : Number.POSITIVE_INFINITY;
  }

  readonly #onTimer = (): void => {
    const delayedBy = this.#timerDueAt - this.#options.now();
    // The timer's clock runs in whole milliseconds and may be a fraction ahead of the other one.
    const now = delayedBy < 1 ? Math.max(this.#timerDueAt, this.#options.now()) : this.#options.now();
    this.#stopTimer = undefined;
    this.#timerDueAt = Number.POSITIVE_INFINITY;
    const overdue = this.#waiters.filter((waiter) => waiter.deadline <= now);
    const error = deadlineExceededError(this.subgraph);
    if (overdue.length === this.#waiters.length) {
      this.#failWaiters(this.#finish('DEADLINE_EXCEEDED', this.#endAtDeadline()), error);
      return;
    }
    for (const waiter of overdue) this.#flight?.remove(waiter);
    this.#recomputeUrgency();
    this.#takeStep(now);
    if (this.#state.kind !== 'ended') this.#setTimer();
    this.#failWaiters(overdue, error);
  };

  /** A subgraph that had at least half of an attempt's time counts as slow, like one that exceeds it. A subgraph that had
   *  less, because the call had waited for a slot, does not. */
  #endAtDeadline(): AttemptEnd | undefined {
    const elapsedMs = this.#attempts[0]?.elapsedMs ?? 0;
    return elapsedMs >= this.#request.attemptTimeoutMs / 2 ? this.#timeoutEnd() : undefined;
  }

  #timeoutEnd(): AttemptEnd {
    return { result: attemptTimeoutError(this.subgraph), status: undefined, retryAfter: undefined };
  }

  #takeStep(now: number): void {
    const state = this.#state;
    if (state.kind === 'backing off' && now >= state.retryAt) {
      this.#enterQueue();
    } else if (state.kind === 'under way' && now >= state.timeoutAt) {
      const end = this.#timeoutEnd();
      if (this.#backOff(end)) return;
      this.#failWaiters(this.#finish('SUBGRAPH_TIMEOUT', end), attemptTimeoutError(this.subgraph));
    } else if (state.kind === 'under way' && now >= state.hedgeAt) {
      this.#state = { ...state, hedgeAt: Number.POSITIVE_INFINITY };
      this.#hedge();
    }
  }

  /** Sends a second attempt, if a slot is free: a hedge never waits, and never makes another call wait. */
  #hedge(): void {
    const { subgraph, policies } = this.#request;
    const hasResponse = this.#attempts.some((attempt) => attempt.hasResponse);
    if (hasResponse || !policies.queue.tryTakeSpareSlot(this.isDeferred)) return;
    if (policies.hedge?.tryTake()) {
      this.#options.onHedge?.(subgraph);
      this.#request.span?.onHedge();
      this.#startAttempt();
    } else policies.queue.release(this.isDeferred);
  }

  /** Ends the call: no event reaches it any more. `end`: of the attempts; omitted if they are cancelled. Returns the waiters,
   *  which the caller answers. */
  #finish(outcome: CallOutcome, end?: AttemptEnd): readonly Waiter[] {
    const waiters = this.#flight?.settle() ?? [];
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#onEnd(this);
    if (this.#state.kind === 'queued') this.#request.policies.queue.remove(this);
    this.#state = { kind: 'ended' };
    this.#endAttempts(end, outcome);
    return waiters;
  }

  #endAttempts(end: AttemptEnd | undefined, outcome?: CallOutcome): void {
    while (this.#attempts.length > 0) this.#endAttempt(this.#attempts[0] as CallAttempt<C>, end, outcome);
  }

  #cancelOthers(winner: CallAttempt<C>): void {
    if (this.#attempts.length === 1) return;
    for (const attempt of this.#attempts.filter((other) => other !== winner))
      this.#endAttempt(attempt, undefined);
  }

  #endAttempt(attempt: CallAttempt<C>, end: AttemptEnd | undefined, outcome = outcomeOf(end)): void {
    this.#attempts.splice(this.#attempts.indexOf(attempt), 1);
    attempt.finish(end);
    this.#request.span?.onStatus(attempt.call.status);
    try {
      this.#options.onCallEnd?.(attempt.call, outcome, this.#receiverCount);
    } catch (fault) {
      this.#options.onReceiverFault(fault);
    }
  }

  #failWaiters(waiters: readonly Waiter[], error: GatewayError): void {
    for (const waiter of waiters) deliverError(waiter, error, this.#options.onReceiverFault);
  }
}

const noWaiters: readonly Waiter[] = [];

function outcomeOf(end: AttemptEnd | undefined): CallOutcome {
  if (end === undefined) return 'cancelled';
  return end.result instanceof Error ? end.result.code : 'answered';
}
