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
  readonly neededBy: number;
  readonly isDeferred: boolean;
  /** Its turn has come. */
  begin(): void;
  /** There is no room for it. Called while another call comes, or before `enter` has returned. */
  drop(): void;
}

export interface CallQueueOptions {
  readonly subgraph: string;
  readonly limits: CallLimits;
  readonly observer: CallQueueObserver | undefined;
  /** Milliseconds. */
  now(): number;
}

interface Waiting {
  readonly call: QueuedCall;
  readonly arrival: number;
  readonly since: number;
}

/** The calls of one subgraph: as many as may be under way at once, and the others in the order of their urgency. What
 *  has its turn at once costs a few comparisons. */
export class CallQueue {
  limits: CallLimits;
  readonly #options: CallQueueOptions;
  #primaryRunning = 0;
  #deferredRunning = 0;
  /** The most urgent ones last. */
  readonly #primary: Waiting[] = [];
  readonly #deferred: Waiting[] = [];
  #arrivals = 0;
  #willGoOn = false;

  constructor(options: CallQueueOptions) {
    this.#options = options;
    this.limits = options.limits;
  }

  /** How many wait. */
  get length(): number {
    return this.#primary.length + this.#deferred.length;
  }

  /** True where the call is to begin now: then it counts until `end`. Else it waits, or has been dropped. */
  enter(call: QueuedCall): boolean {
    if (this.length === 0 && this.#mayBegin(call.isDeferred)) {
      this.#count(call.isDeferred, 1);
      return true;
    }
    this.#wait(call);
    return false;
  }

  /** A call that was to begin is over. */
  end(isDeferred: boolean): void {
    this.#count(isDeferred, -1);
    this.#goOnLater();
  }

  /** A waiting call is not wanted any more. */
  leave(call: QueuedCall): void {
    this.#tellEnd(this.#takeOut(call), 'left');
  }

  /** A waiting call becomes more urgent or less so by what `change` does. */
  change(call: QueuedCall, change: () => void): void {
    const waiting = this.#takeOut(call);
    change();
    insert(this.#listOf(call.isDeferred), waiting);
    this.#goOnLater();
  }

  #wait(call: QueuedCall): void {
    const waiting = { call, arrival: ++this.#arrivals, since: this.#options.now() };
    insert(this.#listOf(call.isDeferred), waiting);
    this.#options.observer?.onWait(this.#options.subgraph);
    if (this.length > this.limits.waiting) this.#dropLeastUrgent();
    this.#goOnLater();
  }

  #dropLeastUrgent(): void {
    const [primary] = this.#primary;
    const [deferred] = this.#deferred;
    const isPrimary = deferred === undefined || (primary !== undefined && isBefore(deferred, primary));
    const least = (isPrimary ? this.#primary : this.#deferred).shift() as Waiting;
    this.#tellEnd(least, 'dropped');
    least.call.drop();
  }

  /** Not from within the end of a call: whoever ends it is not done yet. */
  #goOnLater(): void {
    if (this.#willGoOn || this.#nextList() === undefined) return;
    this.#willGoOn = true;
    queueMicrotask(this.#goOn);
  }

  readonly #goOn = (): void => {
    this.#willGoOn = false;
    for (let list = this.#nextList(); list !== undefined; list = this.#nextList()) {
      const next = list.pop() as Waiting;
      this.#count(next.call.isDeferred, 1);
      this.#tellEnd(next, 'sent');
      next.call.begin();
    }
  };

  /** Of what may begin, the list whose last one is the most urgent. */
  #nextList(): Waiting[] | undefined {
    const primary = this.#mayBegin(false) ? this.#primary.at(-1) : undefined;
    const deferred = this.#mayBegin(true) ? this.#deferred.at(-1) : undefined;
    if (deferred === undefined) return primary && this.#primary;
    return primary !== undefined && isBefore(primary, deferred) ? this.#primary : this.#deferred;
  }

  #takeOut(call: QueuedCall): Waiting {
    const list = this.#listOf(call.isDeferred);
    const [waiting] = list.splice(
      list.findIndex((one) => one.call === call),
      1,
    );
    return waiting as Waiting;
  }

  #mayBegin(isDeferred: boolean): boolean {
    const { total, primary, deferred } = this.limits;
    if (this.#primaryRunning + this.#deferredRunning >= total) return false;
    return isDeferred ? this.#deferredRunning < deferred : this.#primaryRunning < primary;
  }

  #count(isDeferred: boolean, change: 1 | -1): void {
    if (isDeferred) this.#deferredRunning += change;
    else this.#primaryRunning += change;
  }

  #listOf(isDeferred: boolean): Waiting[] {
    return isDeferred ? this.#deferred : this.#primary;
  }

  #tellEnd({ call, since }: Waiting, outcome: WaitEnd['outcome']): void {
    const { observer, subgraph, now } = this.#options;
    observer?.onWaitEnd({ subgraph, priority: call.priority, outcome, waitedMs: now() - since });
  }
}

/** Whether one goes before another. */
function isBefore(one: Waiting, other: Waiting): boolean {
  if (one.call.rank !== other.call.rank) return one.call.rank < other.call.rank;
  if (one.call.neededBy !== other.call.neededBy) return one.call.neededBy < other.call.neededBy;
  return one.arrival < other.arrival;
}

function insert(list: Waiting[], waiting: Waiting): void {
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (isBefore(list[middle] as Waiting, waiting)) to = middle;
    else from = middle + 1;
  }
  list.splice(from, 0, waiting);
}
