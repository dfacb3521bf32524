import type { CallLimits } from './callLimits.ts';
import type { CallPriority } from './callPriority.ts';

/** A call in the queue, as urgent as the most urgent request that waits for it. */
export interface QueuedCall {
  /** For the observer. */
  readonly priority: CallPriority;
  /** Smaller goes first. */
  readonly rank: number;
  /** Among equal ranks, the earliest deadline goes first. Milliseconds, on the clock of `now`. */
  readonly earliestDeadline: number;
  readonly isDeferred: boolean;
  /** The call may start: it holds a slot until `release`. */
  onTurn(): void;
  /** The queue is full and this call is the least urgent. May be called before `tryStart` of this call, or of another one,
   *  has returned. */
  onDrop(): void;
}

/** Observes calls that have to wait. Calls that start at once are not reported. */
export interface CallQueueObserver {
  onWait(subgraph: string): void;
  onWaitEnd(end: WaitEnd): void;
}

export interface WaitEnd {
  readonly subgraph: string;
  readonly priority: CallPriority;
  /** `dropped`: the queue was full. `left`: no caller waits for the call any more, or its deadline has passed. */
  readonly outcome: 'sent' | 'dropped' | 'left';
  readonly waitedMs: number;
}

interface CallQueueOptions {
  readonly subgraph: string;
  readonly limits: CallLimits;
  readonly observer: CallQueueObserver | undefined;
  /** Milliseconds. */
  now(): number;
}

interface QueueEntry {
  readonly call: QueuedCall;
  readonly arrival: number;
  readonly enqueuedAtMs: number;
}

/** Limits how many calls of one subgraph are under way, and queues the others by urgency. A call that starts at once
 *  costs a few comparisons. */
export class CallQueue {
  limits: CallLimits;
  readonly #options: CallQueueOptions;
  #primaryRunning = 0;
  #deferredRunning = 0;
  /** Sorted: the most urgent entry is the last one. */
  readonly #primary: QueueEntry[] = [];
  readonly #deferred: QueueEntry[] = [];
  #arrivals = 0;
  #isDispatchScheduled = false;

  constructor(options: CallQueueOptions) {
    this.#options = options;
    this.limits = options.limits;
  }

  /** How many calls are queued. */
  get length(): number {
    return this.#primary.length + this.#deferred.length;
  }

  /** True if the call may start now: it holds a slot until `release`. Otherwise it is queued, or was dropped. */
  tryStart(call: QueuedCall): boolean {
    if (this.length === 0 && this.#hasCapacity(call.isDeferred)) {
      this.#addRunning(call.isDeferred, 1);
      return true;
    }
    this.#enqueue(call);
    return false;
  }

  /** Releases the slot of a call that started. */
  release(isDeferred: boolean): void {
    this.#addRunning(isDeferred, -1);
    this.#scheduleDispatch();
  }

  /** Removes a queued call that no caller waits for any more. */
  remove(call: QueuedCall): void {
    this.#reportWaitEnd(this.#removeEntry(call), 'left');
  }

  /** Moves a queued call whose urgency `change` changes. */
  reprioritize(call: QueuedCall, change: () => void): void {
    const entry = this.#removeEntry(call);
    change();
    insert(this.#listOf(call.isDeferred), entry);
    this.#scheduleDispatch();
  }

  #enqueue(call: QueuedCall): void {
    const entry = { call, arrival: ++this.#arrivals, enqueuedAtMs: this.#options.now() };
    insert(this.#listOf(call.isDeferred), entry);
    this.#options.observer?.onWait(this.#options.subgraph);
    if (this.length > this.limits.queued) this.#dropLeastUrgent();
    this.#scheduleDispatch();
  }

  #dropLeastUrgent(): void {
    const [primary] = this.#primary;
    const [deferred] = this.#deferred;
    const isPrimary = deferred === undefined || (primary !== undefined && isMoreUrgent(deferred, primary));
    const least = (isPrimary ? this.#primary : this.#deferred).shift() as QueueEntry;
    this.#reportWaitEnd(least, 'dropped');
    least.call.onDrop();
  }

  /** Dispatches in a microtask: the code that just ended a call still runs. */
  #scheduleDispatch(): void {
    if (this.#isDispatchScheduled || this.#nextList() === undefined) return;
    this.#isDispatchScheduled = true;
    queueMicrotask(this.#dispatch);
  }

  readonly #dispatch = (): void => {
    this.#isDispatchScheduled = false;
    for (let list = this.#nextList(); list !== undefined; list = this.#nextList()) {
      const next = list.pop() as QueueEntry;
      this.#addRunning(next.call.isDeferred, 1);
      this.#reportWaitEnd(next, 'sent');
      next.call.onTurn();
    }
  };

  /** Of the lists that have capacity, the one whose last entry is the most urgent. */
  #nextList(): QueueEntry[] | undefined {
    const primary = this.#hasCapacity(false) ? this.#primary.at(-1) : undefined;
    const deferred = this.#hasCapacity(true) ? this.#deferred.at(-1) : undefined;
    if (deferred === undefined) return primary && this.#primary;
    return primary !== undefined && isMoreUrgent(primary, deferred) ? this.#primary : this.#deferred;
  }

  #removeEntry(call: QueuedCall): QueueEntry {
    const list = this.#listOf(call.isDeferred);
    const [entry] = list.splice(
      list.findIndex((candidate) => candidate.call === call),
      1,
    );
    return entry as QueueEntry;
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

  #listOf(isDeferred: boolean): QueueEntry[] {
    return isDeferred ? this.#deferred : this.#primary;
  }

  #reportWaitEnd({ call, enqueuedAtMs }: QueueEntry, outcome: WaitEnd['outcome']): void {
    const { observer, subgraph, now } = this.#options;
    observer?.onWaitEnd({ subgraph, priority: call.priority, outcome, waitedMs: now() - enqueuedAtMs });
  }
}

function isMoreUrgent(a: QueueEntry, b: QueueEntry): boolean {
  if (a.call.rank !== b.call.rank) return a.call.rank < b.call.rank;
  if (a.call.earliestDeadline !== b.call.earliestDeadline)
    return a.call.earliestDeadline < b.call.earliestDeadline;
  return a.arrival < b.arrival;
}

function insert(list: QueueEntry[], entry: QueueEntry): void {
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (isMoreUrgent(list[middle] as QueueEntry, entry)) to = middle;
    else from = middle + 1;
  }
  list.splice(from, 0, entry);
}
