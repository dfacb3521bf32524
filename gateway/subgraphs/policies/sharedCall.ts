import type { GatewayError } from '../../errors.ts';
import type { Flight, Leader } from '../../sharing/singleFlight.ts';
import type { TextKey } from '../../sharing/textMap.ts';
import type { FetchSpan } from '../../telemetry/fetchSpan.ts';
import type { SharedTimer, TimedTask } from '../../time/sharedTimer.ts';
import {
  attemptTimeoutError,
  circuitOpenError,
  deadlineExceededError,
  overloadedError,
} from '../callErrors.ts';
import type { RequestCoordinates } from '../subgraphClient.ts';
import type { AttemptEnd, Call, CallOutcome, CallResponse } from './call.ts';
import { CallAttempt } from './callAttempt.ts';
import type { CallPolicies } from './callPolicies.ts';
import type { CallPriority } from './callPriority.ts';
import type { DropReason, QueuedCall } from './callQueue.ts';
import { type CallUrgency, combineUrgencies, raiseUrgency } from './callUrgency.ts';
import { deliver, deliverToAll, type OnReceiverFault, type Waiter } from './waiter.ts';

/** In milliseconds. */
export interface CallTimes {
  /** Until the whole response had arrived. */
  readonly latencyMs: number;
  /** On the clock of the deadlines. */
  readonly endedAt: number;
}

export interface SharedCallOptions<C extends Call> {
  /** Milliseconds, on the clock of the deadlines. */
  now(): number;
  /** Also called when an observer threw. */
  readonly onReceiverFault: OnReceiverFault;
  /** Called for each attempt. `end`: `undefined` if no request waited for the end. */
  onCallEnd?:
    | ((call: C, outcome: CallOutcome, attempt: CallTimes, end: AttemptEnd | undefined) => void)
    | undefined;
  /** A failed call is sent again. */
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
  readonly now: number;
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

type State =
  /** Waits for a slot. */
  | { readonly kind: 'queued' }
  /** The first attempt and perhaps its hedge. */
  | { readonly kind: 'under way'; readonly timeoutAt: number; readonly hedgeAt: number }
  /** The response is there. How long the gateway takes to read it says nothing about the subgraph. */
  | { readonly kind: 'reading' }
  /** The last attempt failed. */
  | { readonly kind: 'backing off'; readonly retryAt: number }
  | { readonly kind: 'ended' };

const queued: State = { kind: 'queued' };
const reading: State = { kind: 'reading' };
const ended: State = { kind: 'ended' };

/** One call, its attempts, and the requests that wait for it. */
export class SharedCall<C extends Call> implements QueuedCall, Leader<Waiter>, TimedTask {
  /** When the first deadline of a waiter, or the next step, is due. */
  dueAt = Number.POSITIVE_INFINITY;
  position = -1;
  readonly #options: SharedCallOptions<C>;
  readonly #request: CallRequest<C>;
  /** All calls that have not ended. */
  readonly #calls: SharedTimer<SharedCall<C>>;
  #state: State = queued;
  #urgency: CallUrgency;
  /** Nearly always one. */
  #attempts: readonly CallAttempt<C>[] = noAttempts;
  #previous: C | undefined;
  /** Attempts that were sent so far, without hedges. */
  #attemptCount = 0;
  #flight: Flight<Waiter, TextKey> | undefined;

  constructor(options: SharedCallOptions<C>, request: CallRequest<C>, calls: SharedTimer<SharedCall<C>>) {
    this.#options = options;
    this.#request = request;
    this.#calls = calls;
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
    for (const { deadline } of this.waiters) latest = Math.max(latest, deadline);
    return latest;
  }

  get isDeferred(): boolean {
    return this.#urgency.isDeferred;
  }

  get waiters(): readonly Waiter[] {
    return this.#flight?.joiners ?? noWaiters;
  }

  start(flight: Flight<Waiter, TextKey>, waiter: Waiter, now: number): void {
    this.#flight = flight;
    flight.add(waiter);
    this.#calls.add(this);
    this.#enterQueue(now);
  }

  #enterQueue(now: number): void {
    this.#state = queued;
    if (this.#attemptCount > 0) this.#followWaiters();
    if (this.#request.policies.queue.tryStart(this)) {
      this.onTurn(now);
      return;
    }
    // The queue may have dropped it.
    if ((this.#state as State).kind !== 'queued') return;
    this.#updateDueTime();
    for (const waiter of this.waiters) this.#followPriority(waiter);
  }

  onTurn(now: number): void {
    const { policies, attemptTimeoutMs, isIdempotent } = this.#request;
    this.#state = {
      kind: 'under way',
      timeoutAt: now + attemptTimeoutMs,
      hedgeAt: now + ((isIdempotent ? policies.hedge?.delayMs : undefined) ?? Number.POSITIVE_INFINITY),
    };
    if (this.#attemptCount === 0) {
      policies.retry?.onCall(now);
      policies.hedge?.onCall(now);
    }
    this.#attemptCount += 1;
    this.#startAttempt(now);
  }

  /** Starts an attempt in a slot of the queue. */
  #startAttempt(now: number): void {
    const { subgraph, policies, coordinates, span } = this.#request;
    const { isDeferred, latestDeadline: deadline } = this;
    const permits = policies.circuits === undefined ? [] : policies.circuits.acquire(coordinates);
    const isExpired = deadline <= now;
    if (permits === undefined || isExpired) {
      policies.queue.release(isDeferred);
      if (permits !== undefined) policies.circuits?.record(permits, undefined, coordinates, now);
      // A hedge does not get here: `#hedge` has checked the circuits, and `onDue` the deadlines.
      this.#failLater(isExpired ? deadlineExceededError(subgraph) : circuitOpenError(subgraph));
      return;
    }
    if (this.#attempts.length > 0) {
      this.#options.onHedge?.(subgraph);
      span?.onHedge();
    } else if (this.#attemptCount > 1) {
      this.#options.onRetry?.(subgraph);
      span?.onRetry();
    }
    const previous = this.#attempts.at(-1)?.call ?? this.#previous;
    const call = this.#request.createCall({ isDeferred, now, deadline, previous });
    const attempt = new CallAttempt(
      { call, permits, coordinates, isDeferred, policies, startedAt: now, now: this.#options.now },
      this,
    );
    this.#attempts = this.#attempts.length === 0 ? [attempt] : [...this.#attempts, attempt];
    this.#updateDueTime();
    call.start(attempt);
  }

  onDrop(reason: DropReason): void {
    this.#failLater(overloadedError(this.subgraph, reason));
  }

  /** Fails a call that is not in the queue, in a microtask: `send` of this or of another request may still run, and receivers
   *  must not be called before it has returned. */
  #failLater(error: GatewayError): void {
    this.#state = ended;
    const waiters = this.#finish(error.code);
    queueMicrotask(() => this.#failWaiters(waiters, error));
  }

  onJoin(waiter: Waiter): void {
    this.#options.onJoin?.(this.subgraph);
    waiter.span?.onJoin(this.#request.span);
    if (this.#state.kind === 'queued') {
      this.#setUrgency(combineUrgencies(this.#urgency, waiter.urgency));
      this.#followPriority(waiter);
    }
    this.#updateDueTime();
  }

  onLeave(): void {
    if (this.waiters.length > 0) this.#recomputeUrgency();
    else this.#finish('cancelled');
  }

  #followPriority(waiter: Waiter): void {
    const raisables = waiter.raisablePriorities ?? [];
    waiter.raisablePriorities = undefined;
    for (const raisable of raisables) {
      raisable.onRaise((priority) => {
        if (waiter.receiver === undefined) return;
        waiter.urgency = raiseUrgency(waiter.urgency, priority);
        if (this.#state.kind === 'queued') this.#setUrgency(combineUrgencies(this.#urgency, waiter.urgency));
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
    if (this.#state.kind === 'queued') this.#setUrgency(this.#urgencyOfWaiters());
  }

  /** Before another attempt: more urgent requests may have joined while the last one was under way. */
  #followWaiters(): void {
    for (const waiter of this.waiters) {
      for (const { current } of waiter.raisablePriorities ?? [])
        waiter.urgency = raiseUrgency(waiter.urgency, current);
    }
    this.#urgency = this.#urgencyOfWaiters();
  }

  #urgencyOfWaiters(): CallUrgency {
    return this.waiters.map(({ urgency }) => urgency).reduce(combineUrgencies);
  }

  /** While a response is read, requests may still join, and deadlines may still pass. */
  onAttemptResponse(attempt: CallAttempt<C>, response: CallResponse): void {
    const { status } = attempt.call;
    const isSuccess = status === undefined || (status >= 200 && status < 300);
    if (isSuccess) this.#cancelOthers(attempt);
    if (this.#attempts.length === 1) this.#state = reading;
    attempt.read(response, (first) => {
      const end = attempt.endWith(first);
      // A hook may have replaced the result of a failed response.
      const isFailure = !isSuccess && (first instanceof Error || first.failureStatus !== undefined);
      if (isFailure && this.#continuesAfter(attempt, end)) return;
      if (first instanceof Error) this.#failWaiters(this.#finish(first.code, end), first);
      else deliverToAll(this.#finish('completed', end), first, response, this.#options.onReceiverFault);
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
    const { isIdempotent, policies, coordinates } = this.#request;
    this.#previous = this.#attempts.at(-1)?.call;
    this.#endAttempts(end);
    const canBeRepeated = isIdempotent || this.#previous?.mayHaveArrived === false;
    // This failure may have opened the circuit.
    if (!canBeRepeated || policies.circuits?.admits(coordinates) === false) return false;
    const now = this.#options.now();
    const failedUrl = this.#previous?.endpointUrl;
    const canFailOver = failedUrl !== undefined && policies.balancer?.hasHealthyOther(failedUrl);
    const remainingMs = this.latestDeadline - now;
    const delayMs = policies.retry?.takeRetry(end, this.#attemptCount, remainingMs, canFailOver);
    if (delayMs === undefined) return false;
    this.#state = { kind: 'backing off', retryAt: now + delayMs };
    this.#updateDueTime();
    return true;
  }

  /** Ends the call with an error. */
  fail(error: GatewayError): void {
    this.#failWaiters(this.#finish(error.code), error);
  }

  #updateDueTime(): void {
    let dueAt = nextStepAt(this.#state);
    for (const { deadline } of this.waiters) dueAt = Math.min(dueAt, deadline);
    this.dueAt = dueAt;
    this.#calls.update(this);
  }

  onDue(now: number): void {
    const overdue = this.waiters.filter((waiter) => waiter.deadline <= now);
    const error = deadlineExceededError(this.subgraph);
    if (overdue.length === this.waiters.length) {
      this.#failWaiters(this.#finish('DEADLINE_EXCEEDED', this.#endAtDeadline(now)), error);
      return;
    }
    for (const waiter of overdue) this.#flight?.remove(waiter);
    this.#recomputeUrgency();
    this.#takeStep(now);
    if (this.#state.kind !== 'ended') this.#updateDueTime();
    this.#failWaiters(overdue, error);
  }

  /** A subgraph that had at least half of an attempt's time counts as slow, like one that exceeds it. A subgraph that had
   *  less, because the call had waited for a slot, does not. */
  #endAtDeadline(now: number): AttemptEnd | undefined {
    if (this.#state.kind === 'reading') return undefined;
    const startedAt = this.#attempts[0]?.startedAt ?? now;
    return now - startedAt >= this.#request.attemptTimeoutMs / 2 ? this.#timeoutEnd() : undefined;
  }

  #timeoutEnd(): AttemptEnd {
    return { result: attemptTimeoutError(this.subgraph), status: undefined, retryAfter: undefined };
  }

  #takeStep(now: number): void {
    const state = this.#state;
    if (state.kind === 'backing off' && now >= state.retryAt) {
      this.#enterQueue(now);
    } else if (state.kind === 'under way' && now >= state.timeoutAt) {
      const end = this.#timeoutEnd();
      if (this.#backOff(end)) return;
      this.#failWaiters(this.#finish('SUBGRAPH_TIMEOUT', end), attemptTimeoutError(this.subgraph));
    } else if (state.kind === 'under way' && now >= state.hedgeAt) {
      this.#state = { ...state, hedgeAt: Number.POSITIVE_INFINITY };
      this.#hedge(now);
    }
  }

  /** Sends a second attempt, if a slot is free: a hedge never waits, and never makes another call wait. */
  #hedge(now: number): void {
    const { policies, coordinates } = this.#request;
    if (policies.circuits?.admits(coordinates) === false) return;
    this.#followWaiters();
    if (!policies.queue.tryTakeSpareSlot(this.isDeferred)) return;
    if (policies.hedge?.tryTake()) this.#startAttempt(now);
    else policies.queue.release(this.isDeferred);
  }

  /** Ends the call: no event reaches it any more. `end`: of the attempts; omitted if they are cancelled. Returns the waiters,
   *  which the caller answers. */
  #finish(outcome: CallOutcome, end?: AttemptEnd): readonly Waiter[] {
    const waiters = this.#flight?.settle() ?? noWaiters;
    this.#calls.remove(this);
    if (this.#state.kind === 'queued') this.#request.policies.queue.remove(this);
    this.#state = ended;
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
    this.#attempts =
      this.#attempts.length === 1 ? noAttempts : this.#attempts.filter((other) => other !== attempt);
    attempt.finish(end);
    this.#request.span?.onStatus(attempt.call.status);
    try {
      this.#options.onCallEnd?.(attempt.call, outcome, attempt, end);
    } catch (fault) {
      this.#options.onReceiverFault(fault);
    }
  }

  #failWaiters(waiters: readonly Waiter[], error: GatewayError): void {
    for (const waiter of waiters) deliver(waiter, error, this.#options.onReceiverFault);
  }
}

const noWaiters: readonly Waiter[] = [];
const noAttempts: readonly never[] = [];

function nextStepAt(state: State): number {
  if (state.kind === 'under way') return Math.min(state.timeoutAt, state.hedgeAt);
  return state.kind === 'backing off' ? state.retryAt : Number.POSITIVE_INFINITY;
}

function outcomeOf(end: AttemptEnd | undefined): CallOutcome {
  if (end === undefined) return 'cancelled';
  return end.result instanceof Error ? end.result.code : 'completed';
}
