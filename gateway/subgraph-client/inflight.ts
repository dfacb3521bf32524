import type { ErrorCode, GatewayError } from '../errors.ts';
import { attemptTimedOut, deadlineExceeded, overloaded } from './callFailure.ts';
import { type CallPriority, type RequestPriority, rankAmongRequests } from './callPriority.ts';
import type { CallQueue, QueuedCall } from './callQueue.ts';
import type { RaisablePriority } from './raisablePriority.ts';
import type {
  CancelSubgraphCall,
  SubgraphReceiver,
  SubgraphRequest,
  SubgraphResponse,
} from './subgraphClient.ts';

/** A whole answer, which every receiver reads for itself. */
export interface CallAnswer {
  /** Hands the answer over by a call: before this returns, or later where it is large and read in slices. Returns
   *  what ends the reading. */
  read(done: (response: SubgraphResponse | GatewayError) => void): () => void;
}

/** Gets exactly one of the two calls, never before `start` has returned and never after `abort`. */
export interface CallListener {
  onAnswer(answer: CallAnswer): void;
  onFailure(error: GatewayError): void;
}

/** One call to a subgraph, not yet under way. */
export interface Call {
  start(listener: CallListener): void;
  abort(): void;
}

export type CallOutcome = 'answered' | 'cancelled' | ErrorCode;

export interface InflightOptions<C extends Call> {
  /** Milliseconds on the clock of the deadlines. */
  now(): number;
  /** Returns what stops the timer. */
  setTimer(fire: () => void, delayMs: number): () => void;
  /** A receiver or an observer threw: a fault of the gateway, which must not reach the other receivers. */
  onReceiverFault(fault: unknown): void;
  /** `receivers`: how many ever waited for this call. */
  onCallEnd?: ((call: C, outcome: CallOutcome, receivers: number) => void) | undefined;
}

/** Of one who waits for a call. */
export interface CallUrgency {
  readonly priority: CallPriority;
  readonly requestPriority: RequestPriority;
  /** Made of both: smaller goes first; among equal ranks, what is needed first. */
  readonly rank: number;
  readonly neededBy: number;
  readonly isDeferred: boolean;
}

export function urgencyOf(request: SubgraphRequest): CallUrgency {
  const { priority, requestPriority = 'normal', deadline, neededBy = deadline, isDeferred } = request;
  const rank = rankAmongRequests(priority, requestPriority);
  return { priority, requestPriority, rank, neededBy, isDeferred };
}

/** What a call is made for in the moment in which it begins. */
export interface CallStart {
  /** Nobody who waits for it needs it for a first answer. */
  readonly isDeferred: boolean;
  /** The latest of those who wait. */
  readonly deadline: number;
}

export interface InflightRequest<C extends Call> {
  /** Calls of equal keys may share one answer; `undefined` is equal to nothing. */
  readonly key: string | undefined;
  readonly subgraph: string;
  /** Milliseconds from when the call has its turn, connecting included. */
  readonly attemptTimeoutMs: number;
  readonly deadline: number;
  readonly urgency: CallUrgency;
  readonly raisable: readonly RaisablePriority[] | undefined;
  /** Where it waits for its turn. */
  readonly queue: CallQueue;
  readonly receiver: SubgraphReceiver;
  createCall(start: CallStart): C;
}

// Longer delays make setTimeout fire at once.
const longestTimerMs = 2 ** 31 - 1;

/** The calls under way. The first request of a key leads: it starts the call; equal ones join it until
 *  the answer is there. */
export class Inflight<C extends Call> {
  readonly #options: InflightOptions<C>;
  readonly #shared = new Map<string, PendingCall<C>>();
  readonly #pending = new Set<PendingCall<C>>();

  constructor(options: InflightOptions<C>) {
    this.#options = options;
  }

  send(request: InflightRequest<C>): CancelSubgraphCall {
    const { key, subgraph, deadline, receiver } = request;
    if (deadline <= this.#options.now()) return this.refuse(receiver, deadlineExceeded(subgraph));
    let pending = key === undefined ? undefined : this.#shared.get(key);
    if (pending !== undefined) return pending.join(request);
    pending = new PendingCall(this.#options, request, this.#forget);
    this.#pending.add(pending);
    if (key !== undefined) this.#shared.set(key, pending);
    return pending.start(request);
  }

  /** Answers with an error and without a call; like all answers, not before this has returned. */
  refuse(receiver: SubgraphReceiver, error: GatewayError): CancelSubgraphCall {
    const waiter: Answerable = { receiver };
    queueMicrotask(() => giveError(waiter, error, this.#options.onReceiverFault));
    return () => {
      waiter.receiver = undefined;
    };
  }

  /** Ends every call with this error. */
  failAll(errorFor: (subgraph: string) => GatewayError): void {
    for (const pending of [...this.#pending]) pending.fail(errorFor(pending.subgraph));
  }

  readonly #forget = (pending: PendingCall<C>): void => {
    this.#pending.delete(pending);
    if (pending.key !== undefined) this.#shared.delete(pending.key);
  };
}

interface Answerable {
  /** Taken out before it is called, and by a cancel: nobody is answered twice. */
  receiver: SubgraphReceiver | undefined;
}

interface Waiter extends Answerable {
  readonly deadline: number;
  urgency: CallUrgency;
}

function giveError(waiter: Answerable, error: GatewayError, onFault: (fault: unknown) => void): void {
  const receiver = waiter.receiver;
  waiter.receiver = undefined;
  try {
    receiver?.onError(error);
  } catch (fault) {
    onFault(fault);
  }
}

function giveResponse(
  waiter: Answerable,
  response: SubgraphResponse,
  onFault: (fault: unknown) => void,
): void {
  const receiver = waiter.receiver;
  waiter.receiver = undefined;
  try {
    receiver?.onResponse(response);
  } catch (fault) {
    onFault(fault);
  }
}

/** A call and all who wait for it. One timer, set to whatever ends first. */
class PendingCall<C extends Call> implements CallListener, QueuedCall {
  readonly key: string | undefined;
  readonly subgraph: string;
  readonly #options: InflightOptions<C>;
  readonly #attemptTimeoutMs: number;
  readonly #queue: CallQueue;
  readonly #forget: (pending: PendingCall<C>) => void;
  #state: 'waiting' | 'under way' | 'over' = 'waiting';
  #urgency: CallUrgency;
  /** Counted by the queue. */
  #isCounted = false;
  /** Gone once it was called: it holds the request. */
  #createCall: InflightRequest<C>['createCall'] | undefined;
  #call: C | undefined;
  #attemptEnd = Number.POSITIVE_INFINITY;
  #waiters: Waiter[] = [];
  #receivers = 0;
  #timerEnd = Number.POSITIVE_INFINITY;
  #stopTimer: (() => void) | undefined;
  #stopReading: (() => void) | undefined;

  constructor(
    options: InflightOptions<C>,
    request: InflightRequest<C>,
    forget: (pending: PendingCall<C>) => void,
  ) {
    this.key = request.key;
    this.subgraph = request.subgraph;
    this.#options = options;
    this.#attemptTimeoutMs = request.attemptTimeoutMs;
    this.#queue = request.queue;
    this.#createCall = request.createCall;
    this.#forget = forget;
    this.#urgency = request.urgency;
  }

  get priority(): CallPriority {
    return this.#urgency.priority;
  }

  get rank(): number {
    return this.#urgency.rank;
  }

  get neededBy(): number {
    return this.#urgency.neededBy;
  }

  get isDeferred(): boolean {
    return this.#urgency.isDeferred;
  }

  start(first: InflightRequest<C>): CancelSubgraphCall {
    const waiter = this.#addWaiter(first);
    if (this.#queue.enter(this)) this.begin();
    else if (this.#state === 'waiting') {
      this.#setTimer(waiter.deadline);
      this.#watch(waiter, first);
    }
    return () => this.#leave(waiter);
  }

  begin(): void {
    this.#state = 'under way';
    this.#isCounted = true;
    let [first, last] = [Number.POSITIVE_INFINITY, 0];
    for (const { deadline } of this.#waiters) {
      first = Math.min(first, deadline);
      last = Math.max(last, deadline);
    }
    this.#call = this.#createCall?.({ isDeferred: this.isDeferred, deadline: last });
    this.#createCall = undefined;
    this.#attemptEnd = this.#options.now() + this.#attemptTimeoutMs;
    this.#setTimer(Math.min(first, this.#attemptEnd));
    this.#call?.start(this);
  }

  drop(): void {
    this.#state = 'over';
    const waiters = this.#end('OVERLOADED');
    const error = overloaded(this.subgraph);
    // Somebody is sending: nobody is answered from within that.
    queueMicrotask(() => this.#failWaiters(waiters, () => error));
  }

  join(request: InflightRequest<C>): CancelSubgraphCall {
    const waiter = this.#addWaiter(request);
    if (this.#state === 'waiting') {
      this.#setUrgency(mostUrgentOf(this.#urgency, request.urgency));
      this.#watch(waiter, request);
    }
    this.#setTimer(Math.min(request.deadline, this.#attemptEnd));
    return () => this.#leave(waiter);
  }

  #addWaiter({ receiver, deadline, urgency }: InflightRequest<C>): Waiter {
    const waiter: Waiter = { receiver, deadline, urgency };
    this.#waiters.push(waiter);
    this.#receivers += 1;
    return waiter;
  }

  #watch(waiter: Waiter, { raisable }: InflightRequest<C>): void {
    for (const one of raisable ?? []) {
      one.onRaise((priority) => {
        if (waiter.receiver === undefined) return;
        waiter.urgency = raisedTo(waiter.urgency, priority);
        if (this.#state === 'waiting') this.#setUrgency(mostUrgentOf(this.#urgency, waiter.urgency));
      });
    }
  }

  #setUrgency(urgency: CallUrgency): void {
    const { rank, neededBy, isDeferred } = urgency;
    if (rank === this.rank && neededBy === this.neededBy && isDeferred === this.isDeferred) return;
    this.#queue.change(this, () => {
      this.#urgency = urgency;
    });
  }

  /** Somebody waits no longer. */
  #renewUrgency(): void {
    if (this.#state !== 'waiting') return;
    this.#setUrgency(this.#waiters.map(({ urgency }) => urgency).reduce(mostUrgentOf));
  }

  onAnswer(answer: CallAnswer): void {
    this.#giveTurnBack();
    // Until it has been read, the call is under way: others may join, and its time may end.
    this.#stopReading = answer.read((response) => {
      if (response instanceof Error) this.onFailure(response);
      else this.#give(this.#end('answered'), response, answer);
    });
  }

  onFailure(error: GatewayError): void {
    this.#failWaiters(this.#end(error.code), () => error);
  }

  /** Like a failure of the call, which is under way and ends here. */
  fail(error: GatewayError): void {
    const waiters = this.#end(error.code);
    this.#call?.abort();
    this.#failWaiters(waiters, () => error);
  }

  /** Every waiter gets an answer of its own. */
  #give(waiters: readonly Waiter[], first: SubgraphResponse, answer: CallAnswer): void {
    let left: SubgraphResponse | undefined = first;
    const { onReceiverFault } = this.#options;
    for (const waiter of waiters) {
      // An earlier receiver may have cancelled this one.
      if (waiter.receiver === undefined) continue;
      if (left !== undefined) {
        const response = left;
        left = undefined;
        giveResponse(waiter, response, onReceiverFault);
        continue;
      }
      answer.read((response) => {
        if (response instanceof Error) giveError(waiter, response, onReceiverFault);
        else giveResponse(waiter, response, onReceiverFault);
      });
    }
  }

  #leave(waiter: Waiter): void {
    if (waiter.receiver === undefined) return;
    waiter.receiver = undefined;
    const index = this.#waiters.indexOf(waiter);
    if (index === -1) return;
    this.#waiters.splice(index, 1);
    if (this.#waiters.length > 0) {
      this.#renewUrgency();
      return;
    }
    this.#end('cancelled');
    this.#call?.abort();
  }

  #setTimer(end: number): void {
    if (end >= this.#timerEnd) return;
    this.#stopTimer?.();
    this.#timerEnd = end;
    const delayMs = Math.min(Math.max(0, Math.ceil(end - this.#options.now())), longestTimerMs);
    this.#stopTimer = this.#options.setTimer(this.#onTimer, delayMs);
  }

  readonly #onTimer = (): void => {
    const delayedBy = this.#timerEnd - this.#options.now();
    // The timer's clock runs in whole milliseconds and may be a fraction ahead of the other one.
    const now = delayedBy < 1 ? Math.max(this.#timerEnd, this.#options.now()) : this.#options.now();
    this.#stopTimer = undefined;
    this.#timerEnd = Number.POSITIVE_INFINITY;
    const errorFor = (waiter: Waiter): GatewayError =>
      waiter.deadline <= now ? deadlineExceeded(this.subgraph) : attemptTimedOut(this.subgraph);
    if (now >= this.#attemptEnd || this.#waiters.every((waiter) => waiter.deadline <= now)) {
      const isDeadline = this.#waiters.every((waiter) => waiter.deadline <= now);
      const waiters = this.#end(isDeadline ? 'DEADLINE_EXCEEDED' : 'SUBGRAPH_TIMEOUT');
      this.#call?.abort();
      this.#failWaiters(waiters, errorFor);
      return;
    }
    const late = this.#waiters.filter((waiter) => waiter.deadline <= now);
    this.#waiters = this.#waiters.filter((waiter) => waiter.deadline > now);
    this.#renewUrgency();
    let end = this.#attemptEnd;
    for (const waiter of this.#waiters) end = Math.min(end, waiter.deadline);
    this.#setTimer(end);
    this.#failWaiters(late, errorFor);
  };

  /** Nothing reaches this call any more; what its waiters get is the caller's part. */
  #end(outcome: CallOutcome): Waiter[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#stopReading?.();
    this.#stopReading = undefined;
    this.#forget(this);
    if (this.#state === 'waiting') this.#queue.leave(this);
    this.#state = 'over';
    this.#createCall = undefined;
    this.#giveTurnBack();
    try {
      if (this.#call !== undefined) this.#options.onCallEnd?.(this.#call, outcome, this.#receivers);
    } catch (fault) {
      this.#options.onReceiverFault(fault);
    }
    return waiters;
  }

  #giveTurnBack(): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#queue.end(this.isDeferred);
  }

  #failWaiters(waiters: readonly Waiter[], errorFor: (waiter: Waiter) => GatewayError): void {
    for (const waiter of waiters) giveError(waiter, errorFor(waiter), this.#options.onReceiverFault);
  }
}

function raisedTo(urgency: CallUrgency, priority: CallPriority): CallUrgency {
  const rank = rankAmongRequests(priority, urgency.requestPriority);
  if (rank >= urgency.rank) return urgency;
  return { ...urgency, priority, rank, isDeferred: urgency.isDeferred && priority !== 'primary' };
}

/** What is as urgent as either of two. */
function mostUrgentOf(one: CallUrgency, other: CallUrgency): CallUrgency {
  const isFirst = one.rank < other.rank || (one.rank === other.rank && one.neededBy <= other.neededBy);
  const [first, second] = isFirst ? [one, other] : [other, one];
  return first.isDeferred && !second.isDeferred ? { ...first, isDeferred: false } : first;
}
