import { type ExecutionQueue, ExecutionQueueTimeError } from '../execution/executionQueue.ts';
import type { CallLimits } from '../subgraphs/policies/callLimits.ts';
import { callRankOf, type RequestPriority } from '../subgraphs/policies/callPriority.ts';
import { CallQueue, type DropReason, type QueuedCall } from '../subgraphs/policies/callQueue.ts';

/** With as many executions that wait, further requests are not read. Enough for all that end in one turn of the event loop,
 *  so that it never waits for requests to be read. */
const maxWaitingExecutions = 64;

interface AdmissionQueueOptions {
  /** How long a request may wait, in milliseconds (`overload.executionQueueTime`). */
  readonly queueTimeMs: number;
  readonly executionQueue: Pick<ExecutionQueue, 'length'>;
  /** Milliseconds. */
  now(): number;
  /** Runs a function in the next turn of the event loop. */
  readonly inNextTurn: (run: () => void) => void;
  /** A request fails because it waited for too long. */
  onDrop(priority: RequestPriority): void;
}

/** Requests that wait before they are read, while enough others wait for their execution. A request that is read and
 *  prepared holds four times as much memory; if it waits for longer than two collections of the young generation, V8 copies
 *  all of it twice, and keeps it until a full collection.
 *
 *  Requests continue by priority and then in the order of arrival, like executions, as soon as executions start. How many of
 *  them will be executed is not known: some join others, or are refused. So in each turn of the event loop, as many continue
 *  as may wait for their execution. */
export class AdmissionQueue {
  readonly #options: AdmissionQueueOptions;
  readonly #queue: CallQueue;
  readonly #limits: CallLimits;
  /** Requests that have continued in this turn of the event loop. */
  #continued = 0;

  constructor(options: AdmissionQueueOptions) {
    this.#options = options;
    const { executionQueue } = options;
    this.#limits = {
      get total() {
        return maxWaitingExecutions - executionQueue.length;
      },
      primary: maxWaitingExecutions,
      deferred: 0,
      queued: Number.POSITIVE_INFINITY,
    };
    this.#queue = new CallQueue({
      name: 'requests',
      limits: this.#limits,
      queueTimeMs: options.queueTimeMs,
      now: options.now,
    });
  }

  /** How many requests wait. */
  get length(): number {
    return this.#queue.length;
  }

  /** Whether requests of this priority have been dropped because they waited too long, and others like them still wait. */
  isOverloaded(priority: RequestPriority): boolean {
    return this.#queue.isOverloaded(callRankOf('primary', priority));
  }

  /** Whether a request that arrives now has to `enter`. */
  get isClosed(): boolean {
    return this.#queue.length > 0 || this.#options.executionQueue.length >= maxWaitingExecutions;
  }

  enter(priority: RequestPriority): WaitingRequest {
    const request = new WaitingRequest(priority, this);
    if (this.#queue.tryStart(request)) request.onTurn();
    return request;
  }

  /** An execution that has waited has started, or has ended without. */
  onWaitEnd(): void {
    if (this.#queue.length > 0) this.#queue.limits = this.#limits;
  }

  /** For `WaitingRequest`. */
  onContinued(): void {
    this.#continued += 1;
    if (this.#continued === 1) this.#options.inNextTurn(() => this.#endTurn());
  }

  /** For `WaitingRequest`. */
  onDropped(priority: RequestPriority): void {
    this.#options.onDrop(priority);
  }

  /** For `WaitingRequest`. */
  remove(request: WaitingRequest): void {
    this.#queue.remove(request);
  }

  #endTurn(): void {
    const count = this.#continued;
    this.#continued = 0;
    for (let released = 0; released < count; released += 1) this.#queue.release(false);
  }
}

/** A request in the queue. */
export class WaitingRequest implements QueuedCall {
  readonly isDeferred = false;
  readonly rank: number;
  readonly #priority: RequestPriority;
  readonly #queue: AdmissionQueue;
  readonly #turn = Promise.withResolvers<void>();
  #hasLeft = false;

  constructor(priority: RequestPriority, queue: AdmissionQueue) {
    this.rank = callRankOf('primary', priority);
    this.#priority = priority;
    this.#queue = queue;
  }

  get priority(): 'primary' {
    return 'primary';
  }

  get earliestDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }

  get latestDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** Resolves when the request may be read. Rejects with `OVERLOADED`, or the reason of `abort`. */
  get turn(): Promise<void> {
    return this.#turn.promise;
  }

  /** Ends the wait. Does nothing if it has ended. */
  abort(reason: unknown): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#queue.remove(this);
    this.#turn.reject(reason);
  }

  onTurn(): void {
    this.#hasLeft = true;
    this.#queue.onContinued();
    this.#turn.resolve();
  }

  onDrop(_reason: DropReason): void {
    this.#hasLeft = true;
    this.#queue.onDropped(this.#priority);
    this.#turn.reject(new ExecutionQueueTimeError());
  }
}
