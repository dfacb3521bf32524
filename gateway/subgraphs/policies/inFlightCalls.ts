import type { ErrorCode, GatewayError } from '../../errors.ts';
import { attemptTimeoutError, deadlineExceededError, overloadedError } from '../callErrors.ts';
import type {
  CancelSubgraphCall,
  SubgraphReceiver,
  SubgraphRequest,
  SubgraphResponse,
} from '../subgraphClient.ts';
import {
  type CallPriority,
  callRankOf,
  type RaisablePriority,
  type RequestPriority,
} from './callPriority.ts';
import type { CallQueue, QueuedCall } from './callQueue.ts';
import { type Flight, type Leader, SingleFlight } from './singleFlight.ts';

/** A complete response, which is read once for each receiver. */
interface CallResponse {
  /** Calls `done` with the response: before this returns, or later where the response is large and read in slices.
   *  Returns a function that stops reading. */
  read(done: (response: SubgraphResponse | GatewayError) => void): () => void;
}

/** Gets exactly one of the two calls, never before `start` has returned and never after `abort`. */
export interface CallListener {
  onResponse(response: CallResponse): void;
  onFailure(error: GatewayError): void;
}

/** One call to a subgraph that has not started yet. */
export interface Call {
  start(listener: CallListener): void;
  abort(): void;
}

export type CallOutcome = 'answered' | 'cancelled' | ErrorCode;

interface InFlightCallsOptions<C extends Call> {
  /** Milliseconds, on the clock of the deadlines. */
  now(): number;
  /** Returns a function that stops the timer. */
  setTimer(fire: () => void, delayMs: number): () => void;
  /** A receiver or an observer threw: a fault of the gateway, which must not reach the other receivers. */
  onReceiverFault(fault: unknown): void;
  /** `receivers`: how many requests ever waited for this call. */
  onCallEnd?: ((call: C, outcome: CallOutcome, receivers: number) => void) | undefined;
}

/** How urgently one request waits for a call. */
export interface CallUrgency {
  readonly priority: CallPriority;
  readonly requestPriority: RequestPriority;
  /** Computed from both priorities: smaller goes first; among equal ranks, the earliest deadline goes first. */
  readonly rank: number;
  readonly earliestDeadline: number;
  readonly isDeferred: boolean;
}

export function urgencyOf(request: SubgraphRequest): CallUrgency {
  const { priority, requestPriority = 'normal', deadline, earliestDeadline = deadline, isDeferred } = request;
  const rank = callRankOf(priority, requestPriority);
  return { priority, requestPriority, rank, earliestDeadline, isDeferred };
}

/** What is known of a call at the moment in which it starts. */
export interface CallStartContext {
  /** No first response waits for the call. */
  readonly isDeferred: boolean;
  /** The latest deadline of all waiters. */
  readonly deadline: number;
}

interface InFlightCallRequest<C extends Call> {
  /** Calls with equal keys may share one response; `undefined` shares none. */
  readonly key: string | undefined;
  readonly subgraph: string;
  /** Milliseconds from when the call leaves the queue, connecting included. */
  readonly attemptTimeoutMs: number;
  readonly deadline: number;
  readonly urgency: CallUrgency;
  readonly raisablePriorities: readonly RaisablePriority[] | undefined;
  readonly queue: CallQueue;
  readonly receiver: SubgraphReceiver;
  createCall(start: CallStartContext): C;
}

// Longer delays make setTimeout fire at once.
const maxTimerMs = 2 ** 31 - 1;

/** The calls to subgraphs that are queued or under way. Requests with equal keys share one call until its response has
 *  been read. Each waiter keeps its own deadline. */
export class InFlightCalls<C extends Call> {
  readonly #options: InFlightCallsOptions<C>;
  readonly #singleFlight = new SingleFlight<Waiter>();
  readonly #calls = new Set<SharedCall<C>>();

  constructor(options: InFlightCallsOptions<C>) {
    this.#options = options;
  }

  send(request: InFlightCallRequest<C>): CancelSubgraphCall {
    const { key, subgraph, receiver, deadline, urgency, raisablePriorities } = request;
    if (deadline <= this.#options.now()) return this.reject(receiver, deadlineExceededError(subgraph));
    const waiter: Waiter = { receiver, deadline, urgency, raisablePriorities };
    const shared = key === undefined ? undefined : this.#singleFlight.find(key);
    if (shared !== undefined) {
      shared.join(waiter);
      return () => cancel(shared, waiter);
    }
    const call = new SharedCall(this.#options, request, this.#onEnd);
    const flight =
      (key === undefined ? undefined : this.#singleFlight.tryLead(key, call)) ??
      this.#singleFlight.leadAlone(call);
    this.#calls.add(call);
    call.start(flight, waiter);
    return () => cancel(flight, waiter);
  }

  /** Answers with an error and without a call. As always, the receiver is not called before this has returned. */
  reject(receiver: SubgraphReceiver, error: GatewayError): CancelSubgraphCall {
    const recipient: Recipient = { receiver };
    queueMicrotask(() => deliverError(recipient, error, this.#options.onReceiverFault));
    return () => {
      recipient.receiver = undefined;
    };
  }

  /** Ends every call with an error. */
  failAll(errorFor: (subgraph: string) => GatewayError): void {
    for (const call of [...this.#calls]) call.fail(errorFor(call.subgraph));
  }

  readonly #onEnd = (call: SharedCall<C>): void => {
    this.#calls.delete(call);
  };
}

interface Recipient {
  /** Removed before it is called and when its request is cancelled, so that no receiver is called twice. */
  receiver: SubgraphReceiver | undefined;
}

interface Waiter extends Recipient {
  readonly deadline: number;
  urgency: CallUrgency;
  readonly raisablePriorities: readonly RaisablePriority[] | undefined;
}

function cancel(flight: Flight<Waiter>, waiter: Waiter): void {
  waiter.receiver = undefined;
  flight.leave(waiter);
}

function deliverError(recipient: Recipient, error: GatewayError, onFault: (fault: unknown) => void): void {
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

/** One call and the requests that wait for it. One timer, set to the first deadline. */
class SharedCall<C extends Call> implements CallListener, QueuedCall, Leader<Waiter> {
  readonly subgraph: string;
  readonly #options: InFlightCallsOptions<C>;
  readonly #attemptTimeoutMs: number;
  readonly #queue: CallQueue;
  readonly #onEnd: (call: SharedCall<C>) => void;
  #state: 'queued' | 'under way' | 'ended' = 'queued';
  #urgency: CallUrgency;
  #holdsSlot = false;
  /** Removed once it was called: it holds the request. */
  #createCall: InFlightCallRequest<C>['createCall'] | undefined;
  #call: C | undefined;
  #attemptDeadline = Number.POSITIVE_INFINITY;
  #flight: Flight<Waiter> | undefined;
  #receiverCount = 0;
  #timerDueAt = Number.POSITIVE_INFINITY;
  #stopTimer: (() => void) | undefined;
  #stopReading: (() => void) | undefined;

  constructor(
    options: InFlightCallsOptions<C>,
    request: InFlightCallRequest<C>,
    onEnd: (call: SharedCall<C>) => void,
  ) {
    this.subgraph = request.subgraph;
    this.#options = options;
    this.#attemptTimeoutMs = request.attemptTimeoutMs;
    this.#queue = request.queue;
    this.#createCall = request.createCall;
    this.#onEnd = onEnd;
    this.#urgency = request.urgency;
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

  get isDeferred(): boolean {
    return this.#urgency.isDeferred;
  }

  get #waiters(): ReadonlySet<Waiter> {
    return this.#flight?.joiners ?? noWaiters;
  }

  start(flight: Flight<Waiter>, waiter: Waiter): void {
    this.#flight = flight;
    flight.add(waiter);
    this.#receiverCount = 1;
    if (this.#queue.tryStart(this)) this.onTurn();
    else if (this.#state === 'queued') {
      this.#setTimer(waiter.deadline);
      this.#followPriority(waiter);
    }
  }

  onTurn(): void {
    this.#state = 'under way';
    this.#holdsSlot = true;
    let [first, last] = [Number.POSITIVE_INFINITY, 0];
    for (const { deadline } of this.#waiters) {
      first = Math.min(first, deadline);
      last = Math.max(last, deadline);
    }
    this.#call = this.#createCall?.({ isDeferred: this.isDeferred, deadline: last });
    this.#createCall = undefined;
    this.#attemptDeadline = this.#options.now() + this.#attemptTimeoutMs;
    this.#setTimer(Math.min(first, this.#attemptDeadline));
    this.#call?.start(this);
  }

  onDrop(): void {
    this.#state = 'ended';
    const waiters = this.#finish('OVERLOADED');
    const error = overloadedError(this.subgraph);
    // `send` of this or of another request is still running: receivers must not be called before it has returned.
    queueMicrotask(() => this.#failWaiters(waiters, () => error));
  }

  onJoin(waiter: Waiter): void {
    this.#receiverCount += 1;
    if (this.#state === 'queued') {
      this.#setUrgency(mostUrgentOf(this.#urgency, waiter.urgency));
      this.#followPriority(waiter);
    }
    this.#setTimer(Math.min(waiter.deadline, this.#attemptDeadline));
  }

  onLeave(): void {
    if (this.#waiters.size > 0) {
      this.#recomputeUrgency();
      return;
    }
    this.#finish('cancelled');
    this.#call?.abort();
  }

  #followPriority(waiter: Waiter): void {
    for (const raisable of waiter.raisablePriorities ?? []) {
      raisable.onRaise((priority) => {
        if (waiter.receiver === undefined) return;
        waiter.urgency = raiseUrgency(waiter.urgency, priority);
        if (this.#state === 'queued') this.#setUrgency(mostUrgentOf(this.#urgency, waiter.urgency));
      });
    }
  }

  #setUrgency(urgency: CallUrgency): void {
    const { rank, earliestDeadline, isDeferred } = urgency;
    if (rank === this.rank && earliestDeadline === this.earliestDeadline && isDeferred === this.isDeferred)
      return;
    this.#queue.reprioritize(this, () => {
      this.#urgency = urgency;
    });
  }

  /** A waiter has left. */
  #recomputeUrgency(): void {
    if (this.#state !== 'queued') return;
    this.#setUrgency([...this.#waiters].map(({ urgency }) => urgency).reduce(mostUrgentOf));
  }

  onResponse(response: CallResponse): void {
    this.#releaseSlot();
    // While the response is read, requests may still join, and deadlines may still pass.
    this.#stopReading = response.read((first) => {
      if (first instanceof Error) this.onFailure(first);
      else this.#deliver(this.#finish('answered'), first, response);
    });
  }

  onFailure(error: GatewayError): void {
    this.#failWaiters(this.#finish(error.code), () => error);
  }

  /** Ends the call with an error. */
  fail(error: GatewayError): void {
    const waiters = this.#finish(error.code);
    this.#call?.abort();
    this.#failWaiters(waiters, () => error);
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

  #setTimer(dueAt: number): void {
    if (dueAt >= this.#timerDueAt) return;
    this.#stopTimer?.();
    this.#timerDueAt = dueAt;
    const delayMs = Math.min(Math.max(0, Math.ceil(dueAt - this.#options.now())), maxTimerMs);
    this.#stopTimer = this.#options.setTimer(this.#onTimer, delayMs);
  }

  readonly #onTimer = (): void => {
    const delayedBy = this.#timerDueAt - this.#options.now();
    // The timer's clock runs in whole milliseconds and may be a fraction ahead of the other one.
    const now = delayedBy < 1 ? Math.max(this.#timerDueAt, this.#options.now()) : this.#options.now();
    this.#stopTimer = undefined;
    this.#timerDueAt = Number.POSITIVE_INFINITY;
    const errorFor = (waiter: Waiter): GatewayError =>
      waiter.deadline <= now ? deadlineExceededError(this.subgraph) : attemptTimeoutError(this.subgraph);
    const overdue = [...this.#waiters].filter((waiter) => waiter.deadline <= now);
    const isDeadline = overdue.length === this.#waiters.size;
    if (isDeadline || now >= this.#attemptDeadline) {
      const waiters = this.#finish(isDeadline ? 'DEADLINE_EXCEEDED' : 'SUBGRAPH_TIMEOUT');
      this.#call?.abort();
      this.#failWaiters(waiters, errorFor);
      return;
    }
    for (const waiter of overdue) this.#flight?.remove(waiter);
    this.#recomputeUrgency();
    let dueAt = this.#attemptDeadline;
    for (const { deadline } of this.#waiters) dueAt = Math.min(dueAt, deadline);
    this.#setTimer(dueAt);
    this.#failWaiters(overdue, errorFor);
  };

  /** Ends the call: no event reaches it any more. Returns the waiters, which the caller answers. */
  #finish(outcome: CallOutcome): readonly Waiter[] {
    const waiters = this.#flight?.settle() ?? [];
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#stopReading?.();
    this.#stopReading = undefined;
    this.#onEnd(this);
    if (this.#state === 'queued') this.#queue.remove(this);
    this.#state = 'ended';
    this.#createCall = undefined;
    this.#releaseSlot();
    try {
      if (this.#call !== undefined) this.#options.onCallEnd?.(this.#call, outcome, this.#receiverCount);
    } catch (fault) {
      this.#options.onReceiverFault(fault);
    }
    return waiters;
  }

  #releaseSlot(): void {
    if (!this.#holdsSlot) return;
    this.#holdsSlot = false;
    this.#queue.release(this.isDeferred);
  }

  #failWaiters(waiters: readonly Waiter[], errorFor: (waiter: Waiter) => GatewayError): void {
    for (const waiter of waiters) deliverError(waiter, errorFor(waiter), this.#options.onReceiverFault);
  }
}

const noWaiters: ReadonlySet<Waiter> = new Set();

function raiseUrgency(urgency: CallUrgency, priority: CallPriority): CallUrgency {
  const rank = callRankOf(priority, urgency.requestPriority);
  if (rank >= urgency.rank) return urgency;
  return { ...urgency, priority, rank, isDeferred: urgency.isDeferred && priority !== 'primary' };
}

/** As urgent as the more urgent of the two; deferred only if both are. */
function mostUrgentOf(a: CallUrgency, b: CallUrgency): CallUrgency {
  const isFirst = a.rank < b.rank || (a.rank === b.rank && a.earliestDeadline <= b.earliestDeadline);
  const [first, second] = isFirst ? [a, b] : [b, a];
  return first.isDeferred && !second.isDeferred ? { ...first, isDeferred: false } : first;
}
