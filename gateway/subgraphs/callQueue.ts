import type { CallLimits } from './callLimits.ts';
import type { CallPriority } from './callPriority.ts';
import type { CallQueueObserver, WaitEnd } from './callQueueObserver.ts';

/** A call that has to wait for its turn, as urgent as the most urgent who wait for it. */
export interface QueuedCall {
  /** For the observer. */
  readonly priority: CallPriority;
  /** Smaller goes first. */
  readonly rank: number;
  /** Among equal ranks: the one that is needed first. */
  readonly earliestDeadline: number;
  readonly isDeferred: boolean;
  /** Its turn has come. */
  onTurn(): void;
  /** There is no room for it. Called while another call comes, or before `enter` has returned. */
  onDrop(): void;
}

interface CallQueueOptions {
  readonly subgraph: string;
  readonly limits: CallLimits;
  readonly observer: CallQueueObserver | undefined;
  /** Milliseconds. */
  now(): number;
}

interface WaitingCall {
  readonly call: QueuedCall;
  readonly arrival: number;
  readonly enqueuedAtMs: number;
}

/** The calls of one subgraph: as many as may be under way at once, and the others in the order of their urgency. What
 *  has its turn at once costs a few comparisons. */
export class CallQueue {
  limits: CallLimits;
  readonly #options: CallQueueOptions;
  #primaryRunning = 0;
  #deferredRunning = 0;
  /** The most urgent ones last. */
  readonly #primary: WaitingCall[] = [];
  readonly #deferred: WaitingCall[] = [];
  #arrivals = 0;
  #isDispatchScheduled = false;

  constructor(options: CallQueueOptions) {
    this.#options = options;
    this.limits = options.limits;
  }

  /** How many wait. */
  get length(): number {
    return this.#primary.length + this.#deferred.length;
  }

  /** True where the call is to begin now: then it counts until `end`. Else it waits, or has been dropped. */
  tryStart(call: QueuedCall): boolean {
    if (this.length === 0 && this.#hasCapacity(call.isDeferred)) {
      this.#addRunning(call.isDeferred, 1);
      return true;
    }
    this.#enqueue(call);
    return false;
  }

  /** A call that was to begin is over. */
  release(isDeferred: boolean): void {
    this.#addRunning(isDeferred, -1);
    this.#scheduleDispatch();
  }

  /** A waiting call is not wanted any more. */
  remove(call: QueuedCall): void {
    this.#reportWaitEnd(this.#removeWaiting(call), 'left');
  }

  /** A waiting call becomes more urgent or less so by what `change` does. */
  reprioritize(call: QueuedCall, change: () => void): void {
    const waiting = this.#removeWaiting(call);
    change();
    insert(this.#listOf(call.isDeferred), waiting);
    this.#scheduleDispatch();
  }

  #enqueue(call: QueuedCall): void {
    const waiting = { call, arrival: ++this.#arrivals, enqueuedAtMs: this.#options.now() };
    insert(this.#listOf(call.isDeferred), waiting);
    this.#options.observer?.onWait(this.#options.subgraph);
    if (this.length > this.limits.waiting) this.#dropLeastUrgent();
    this.#scheduleDispatch();
  }

  #dropLeastUrgent(): void {
    const [primary] = this.#primary;
    const [deferred] = this.#deferred;
    const isPrimary = deferred === undefined || (primary !== undefined && isBefore(deferred, primary));
    const least = (isPrimary ? this.#primary : this.#deferred).shift() as WaitingCall;
    this.#reportWaitEnd(least, 'dropped');
    least.call.onDrop();
  }

  /** Not from within the end of a call: whoever ends it is not done yet. */
  #scheduleDispatch(): void {
    if (this.#isDispatchScheduled || this.#nextList() === undefined) return;
    this.#isDispatchScheduled = true;
    queueMicrotask(this.#dispatch);
  }

  readonly #dispatch = (): void => {
    this.#isDispatchScheduled = false;
    for (let list = this.#nextList(); list !== undefined; list = this.#nextList()) {
      const next = list.pop() as WaitingCall;
      this.#addRunning(next.call.isDeferred, 1);
      this.#reportWaitEnd(next, 'sent');
      next.call.onTurn();
    }
  };

  /** Of what may begin, the list whose last one is the most urgent. */
  #nextList(): WaitingCall[] | undefined {
    const primary = this.#hasCapacity(false) ? this.#primary.at(-1) : undefined;
    const deferred = this.#hasCapacity(true) ? this.#deferred.at(-1) : undefined;
    if (deferred === undefined) return primary && this.#primary;
    return primary !== undefined && isBefore(primary, deferred) ? this.#primary : this.#deferred;
  }

  #removeWaiting(call: QueuedCall): WaitingCall {
    const list = this.#listOf(call.isDeferred);
    const [waiting] = list.splice(
      list.findIndex((one) => one.call === call),
      1,
    );
    return waiting as WaitingCall;
  }

  #hasCapacity(isDeferred: boolean): boolean {
    const { total, primary, deferred } = this.limits;
    if (this.#primaryRunning + this.#deferredRunning >= total) return false;
    return isDeferred ? this.#deferredRunning < deferred : this.#primaryRunning < primary;
  }

  #addRunning(isDeferred: boolean, change: 1 | -1): void {
    if (isDeferred) this.#deferredRunning += change;
    else this.#primaryRunning += change;
  }

  #listOf(isDeferred: boolean): WaitingCall[] {
    return isDeferred ? this.#deferred : this.#primary;
  }

  #reportWaitEnd({ call, enqueuedAtMs }: WaitingCall, outcome: WaitEnd['outcome']): void {
    const { observer, subgraph, now } = this.#options;
    observer?.onWaitEnd({ subgraph, priority: call.priority, outcome, waitedMs: now() - enqueuedAtMs });
  }
}

/** Whether one goes before another. */
function isBefore(one: WaitingCall, other: WaitingCall): boolean {
  if (one.call.rank !== other.call.rank) return one.call.rank < other.call.rank;
  if (one.call.earliestDeadline !== other.call.earliestDeadline)
    return one.call.earliestDeadline < other.call.earliestDeadline;
  return one.arrival < other.arrival;
}

function insert(list: WaitingCall[], waiting: WaitingCall): void {
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (isBefore(list[middle] as WaitingCall, waiting)) to = middle;
    else from = middle + 1;
  }
  list.splice(from, 0, waiting);
}
