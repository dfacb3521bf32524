import type { ErrorCode, GatewayError } from '../errors.ts';
import { attemptTimeoutError, deadlineExceededError, overloadedError } from './callErrors.ts';
import { type CallPriority, callRankOf, type RequestPriority } from './callPriority.ts';
import type { CallQueue, QueuedCall } from './callQueue.ts';
import type { RaisablePriority } from './raisablePriority.ts';
import type {
  CancelSubgraphCall,
  SubgraphReceiver,
  SubgraphRequest,
  SubgraphResponse,
} from './subgraphClient.ts';

/** A whole answer, which every receiver reads for itself. */
interface CallResponse {
  /** Hands the answer over by a call: before this returns, or later where it is large and read in slices. Returns
   *  what ends the reading. */
  read(done: (response: SubgraphResponse | GatewayError) => void): () => void;
}

/** Gets exactly one of the two calls, never before `start` has returned and never after `abort`. */
export interface CallListener {
  onResponse(answer: CallResponse): void;
  onFailure(error: GatewayError): void;
}

/** One call to a subgraph, not yet under way. */
export interface Call {
  start(listener: CallListener): void;
  abort(): void;
}

export type CallOutcome = 'answered' | 'cancelled' | ErrorCode;

interface InFlightCallsOptions<C extends Call> {
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
  readonly earliestDeadline: number;
  readonly isDeferred: boolean;
}

export function urgencyOf(request: SubgraphRequest): CallUrgency {
  const { priority, requestPriority = 'normal', deadline, earliestDeadline = deadline, isDeferred } = request;
  const rank = callRankOf(priority, requestPriority);
  return { priority, requestPriority, rank, earliestDeadline, isDeferred };
}

/** What a call is made for in the moment in which it begins. */
export interface CallStartContext {
  /** Nobody who waits for it needs it for a first answer. */
  readonly isDeferred: boolean;
  /** The latest of those who wait. */
  readonly deadline: number;
}

interface InFlightCallRequest<C extends Call> {
  /** Calls of equal keys may share one answer; `undefined` is equal to nothing. */
  readonly key: string | undefined;
  readonly subgraph: string;
  /** Milliseconds from when the call has its turn, connecting included. */
  readonly attemptTimeoutMs: number;
  readonly deadline: number;
  readonly urgency: CallUrgency;
  readonly raisablePriorities: readonly RaisablePriority[] | undefined;
  /** Where it waits for its turn. */
  readonly queue: CallQueue;
  readonly receiver: SubgraphReceiver;
  createCall(start: CallStartContext): C;
}

// Longer delays make setTimeout fire at once.
const maxTimerMs = 2 ** 31 - 1;

/** The calls under way. The first request of a key leads: it starts the call; equal ones join it until
 *  the answer is there. */
export class InFlightCalls<C extends Call> {
  readonly #options: InFlightCallsOptions<C>;
  readonly #shared = new Map<string, SharedCall<C>>();
  readonly #pending = new Set<SharedCall<C>>();

  constructor(options: InFlightCallsOptions<C>) {
    this.#options = options;
  }

  send(request: InFlightCallRequest<C>): CancelSubgraphCall {
    const { key, subgraph, deadline, receiver } = request;
    if (deadline <= this.#options.now()) return this.reject(receiver, deadlineExceededError(subgraph));
    let pending = key === undefined ? undefined : this.#shared.get(key);
    if (pending !== undefined) return pending.join(request);
    pending = new SharedCall(this.#options, request, this.#remove);
    this.#pending.add(pending);
    if (key !== undefined) this.#shared.set(key, pending);
    return pending.start(request);
  }

  /** Answers with an error and without a call; like all answers, not before this has returned. */
  reject(receiver: SubgraphReceiver, error: GatewayError): CancelSubgraphCall {
    const waiter: Recipient = { receiver };
    queueMicrotask(() => deliverError(waiter, error, this.#options.onReceiverFault));
    return () => {
      waiter.receiver = undefined;
    };
  }

  /** Ends every call with this error. */
  failAll(errorFor: (subgraph: string) => GatewayError): void {
    for (const pending of [...this.#pending]) pending.fail(errorFor(pending.subgraph));
  }

  readonly #remove = (pending: SharedCall<C>): void => {
    this.#pending.delete(pending);
    if (pending.key !== undefined) this.#shared.delete(pending.key);
  };
}

interface Recipient {
  /** Taken out before it is called, and by a cancel: nobody is answered twice. */
  receiver: SubgraphReceiver | undefined;
}

interface Waiter extends Recipient {
  readonly deadline: number;
  urgency: CallUrgency;
}

function deliverError(waiter: Recipient, error: GatewayError, onFault: (fault: unknown) => void): void {
  const receiver = waiter.receiver;
  waiter.receiver = undefined;
  try {
    receiver?.onError(error);
  } catch (fault) {
    onFault(fault);
  }
}

function deliverResponse(
  waiter: Recipient,
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
class SharedCall<C extends Call> implements CallListener, QueuedCall {
  readonly key: string | undefined;
  readonly subgraph: string;
  readonly #options: InFlightCallsOptions<C>;
  readonly #attemptTimeoutMs: number;
  readonly #queue: CallQueue;
  readonly #onEnd: (pending: SharedCall<C>) => void;
  #state: 'waiting' | 'under way' | 'over' = 'waiting';
  #urgency: CallUrgency;
  /** Counted by the queue. */
  #holdsSlot = false;
  /** Gone once it was called: it holds the request. */
  #createCall: InFlightCallRequest<C>['createCall'] | undefined;
  #call: C | undefined;
  #attemptDeadline = Number.POSITIVE_INFINITY;
  #waiters: Waiter[] = [];
  #receiverCount = 0;
  #timerDueAt = Number.POSITIVE_INFINITY;
  #stopTimer: (() => void) | undefined;
  #stopReading: (() => void) | undefined;

  constructor(
    options: InFlightCallsOptions<C>,
    request: InFlightCallRequest<C>,
    forget: (pending: SharedCall<C>) => void,
  ) {
    this.key = request.key;
    this.subgraph = request.subgraph;
    this.#options = options;
    this.#attemptTimeoutMs = request.attemptTimeoutMs;
    this.#queue = request.queue;
    this.#createCall = request.createCall;
    this.#onEnd = forget;
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

  start(first: InFlightCallRequest<C>): CancelSubgraphCall {
    const waiter = this.#addWaiter(first);
    if (this.#queue.tryStart(this)) this.onTurn();
    else if (this.#state === 'waiting') {
      this.#setTimer(waiter.deadline);
      this.#subscribeToPriority(waiter, first);
    }
    return () => this.#removeWaiter(waiter);
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
    this.#state = 'over';
    const waiters = this.#finish('OVERLOADED');
    const error = overloadedError(this.subgraph);
    // Somebody is sending: nobody is answered from within that.
    queueMicrotask(() => this.#failWaiters(waiters, () => error));
  }

  join(request: InFlightCallRequest<C>): CancelSubgraphCall {
    const waiter = this.#addWaiter(request);
    if (this.#state === 'waiting') {
      this.#setUrgency(mostUrgentOf(this.#urgency, request.urgency));
      this.#subscribeToPriority(waiter, request);
    }
    this.#setTimer(Math.min(request.deadline, this.#attemptDeadline));
    return () => this.#removeWaiter(waiter);
  }

  #addWaiter({ receiver, deadline, urgency }: InFlightCallRequest<C>): Waiter {
    const waiter: Waiter = { receiver, deadline, urgency };
    this.#waiters.push(waiter);
    this.#receiverCount += 1;
    return waiter;
  }

  #subscribeToPriority(waiter: Waiter, { raisablePriorities }: InFlightCallRequest<C>): void {
    for (const one of raisablePriorities ?? []) {
      one.onRaise((priority) => {
        if (waiter.receiver === undefined) return;
        waiter.urgency = raiseUrgency(waiter.urgency, priority);
        if (this.#state === 'waiting') this.#setUrgency(mostUrgentOf(this.#urgency, waiter.urgency));
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

  /** Somebody waits no longer. */
  #recomputeUrgency(): void {
    if (this.#state !== 'waiting') return;
    this.#setUrgency(this.#waiters.map(({ urgency }) => urgency).reduce(mostUrgentOf));
  }

  onResponse(answer: CallResponse): void {
    this.#releaseSlot();
    // Until it has been read, the call is under way: others may join, and its time may end.
    this.#stopReading = answer.read((response) => {
      if (response instanceof Error) this.onFailure(response);
      else this.#deliver(this.#finish('answered'), response, answer);
    });
  }

  onFailure(error: GatewayError): void {
    this.#failWaiters(this.#finish(error.code), () => error);
  }

  /** Like a failure of the call, which is under way and ends here. */
  fail(error: GatewayError): void {
    const waiters = this.#finish(error.code);
    this.#call?.abort();
    this.#failWaiters(waiters, () => error);
  }

  /** Every waiter gets an answer of its own. */
  #deliver(waiters: readonly Waiter[], first: SubgraphResponse, answer: CallResponse): void {
    let left: SubgraphResponse | undefined = first;
    const { onReceiverFault } = this.#options;
    for (const waiter of waiters) {
      // An earlier receiver may have cancelled this one.
      if (waiter.receiver === undefined) continue;
      if (left !== undefined) {
        const response = left;
        left = undefined;
        deliverResponse(waiter, response, onReceiverFault);
        continue;
      }
      answer.read((response) => {
        if (response instanceof Error) deliverError(waiter, response, onReceiverFault);
        else deliverResponse(waiter, response, onReceiverFault);
      });
    }
  }

  #removeWaiter(waiter: Waiter): void {
    if (waiter.receiver === undefined) return;
    waiter.receiver = undefined;
    const index = this.#waiters.indexOf(waiter);
    if (index === -1) return;
    this.#waiters.splice(index, 1);
    if (this.#waiters.length > 0) {
      this.#recomputeUrgency();
      return;
    }
    this.#finish('cancelled');
    this.#call?.abort();
  }

  #setTimer(end: number): void {
    if (end >= this.#timerDueAt) return;
    this.#stopTimer?.();
    this.#timerDueAt = end;
    const delayMs = Math.min(Math.max(0, Math.ceil(end - this.#options.now())), maxTimerMs);
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
    if (now >= this.#attemptDeadline || this.#waiters.every((waiter) => waiter.deadline <= now)) {
      const isDeadline = this.#waiters.every((waiter) => waiter.deadline <= now);
      const waiters = this.#finish(isDeadline ? 'DEADLINE_EXCEEDED' : 'SUBGRAPH_TIMEOUT');
      this.#call?.abort();
      this.#failWaiters(waiters, errorFor);
      return;
    }
    const late = this.#waiters.filter((waiter) => waiter.deadline <= now);
    this.#waiters = this.#waiters.filter((waiter) => waiter.deadline > now);
    this.#recomputeUrgency();
    let end = this.#attemptDeadline;
    for (const waiter of this.#waiters) end = Math.min(end, waiter.deadline);
    this.#setTimer(end);
    this.#failWaiters(late, errorFor);
  };

  /** Nothing reaches this call any more; what its waiters get is the caller's part. */
  #finish(outcome: CallOutcome): Waiter[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#stopReading?.();
    this.#stopReading = undefined;
    this.#onEnd(this);
    if (this.#state === 'waiting') this.#queue.remove(this);
    this.#state = 'over';
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

function raiseUrgency(urgency: CallUrgency, priority: CallPriority): CallUrgency {
  const rank = callRankOf(priority, urgency.requestPriority);
  if (rank >= urgency.rank) return urgency;
  return { ...urgency, priority, rank, isDeferred: urgency.isDeferred && priority !== 'primary' };
}

/** What is as urgent as either of two. */
function mostUrgentOf(one: CallUrgency, other: CallUrgency): CallUrgency {
  const isFirst =
    one.rank < other.rank || (one.rank === other.rank && one.earliestDeadline <= other.earliestDeadline);
  const [first, second] = isFirst ? [one, other] : [other, one];
  return first.isDeferred && !second.isDeferred ? { ...first, isDeferred: false } : first;
}
