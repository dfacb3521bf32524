import { abortReasonOf, GatewayError } from '../errors.ts';
import { TransientSet } from '../sharing/transientSet.ts';
import { callRankOf, type RequestPriority } from '../subgraphs/policies/callPriority.ts';
import { CallQueue, type DropReason, type QueuedCall } from '../subgraphs/policies/callQueue.ts';
import type { RequestSignal } from '../time/requestAbort.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import type { RequestContext } from './requestContext.ts';

/** The limit, as long as there are far fewer executions. */
const minLimit = 64;
/** With more executions than this, the limit follows the utilization of the event loop. */
const maxUnobserved = minLimit / 2;
const sampleIntervalMs = 20;
/** With a busier event loop, fewer executions start. */
const saturatedUtilization = 0.97;
/** With an event loop that is less busy, more executions start. */
const spareUtilization = 0.9;
/** The new limit after such samples, as a multiple of the executions that are under way. */
const saturatedShare = 0.8;
const spareShare = 1.5;

interface ExecutionQueueOptions {
  /** How long an execution may wait, in milliseconds (`overload.executionQueueTime`). */
  readonly queueTimeMs: number;
  readonly timers: Timers;
  /** Of the event loop since its last call, from 0 to 1. */
  readUtilization(): number;
  /** An execution is dropped because it waited for too long. It may have been that of several requests, which may try again,
   *  or of an event. */
  onDrop(priority: RequestPriority): void;
}

/** Limits how many operations are executed at the same time, but only while the event loop is saturated: then more of them
 *  at a time would end none of them earlier, and need more memory, more garbage collection and so more time. While the event
 *  loop has time left, executions wait for subgraphs, and any number of them may do so: the limit grows before they reach
 *  it. Only when very many start in the same moment, some of them wait until the effect of the first ones is known.
 *
 *  Those that wait start by their priority, and then in the order of arrival. One that has waited for `queueTimeMs` fails, and
 *  then the newest goes first, as in an overloaded `CallQueue`. An execution that need not wait costs a few comparisons. */
export class ExecutionQueue {
  readonly #options: ExecutionQueueOptions;
  readonly #queue: CallQueue;
  readonly #waiting = new TransientSet<WaitingExecution>();
  #cancelTimer: CancelTimer | undefined;
  #limit = minLimit;
  #waitListener: (() => void) | undefined;

  constructor(options: ExecutionQueueOptions) {
    this.#options = options;
    this.#queue = new CallQueue({
      name: 'executions',
      limits: limitsOf(this.#limit),
      queueTimeMs: options.queueTimeMs,
      now: () => options.timers.now(),
    });
  }

  /** How many executions wait. */
  get length(): number {
    return this.#queue.length;
  }

  /** Whether requests of this priority have been dropped because they waited too long, and others like them still wait. */
  isOverloaded(priority: RequestPriority): boolean {
    return this.#queue.isOverloaded(callRankOf('primary', priority));
  }

  /** Calls the one listener whenever an execution that has waited has started, or waits no longer. */
  onWaitEnd(listener: () => void): void {
    this.#waitListener = listener;
  }

  /** An execution wants to start: at once if this returns `undefined`, otherwise when the promise resolves. It has to
   *  call `leave` when it has ended. The promise rejects with `OVERLOADED`, `DEADLINE_EXCEEDED`, or the reason of the
   *  aborted signal. */
  enter(
    request: Pick<RequestContext, 'preferences' | 'deadline'>,
    signal: RequestSignal,
  ): Promise<void> | undefined {
    if (!this.#queue.tryTakeSpareSlot(false)) return this.#wait(request, signal);
    if (this.#cancelTimer === undefined && this.#queue.running > maxUnobserved) {
      this.#options.readUtilization();
      this.#scheduleSample();
    }
    return undefined;
  }

  /** An execution that had started has ended. */
  leave(): void {
    this.#queue.release(false);
  }

  #wait(
    { preferences: { priority = 'normal' }, deadline }: Pick<RequestContext, 'preferences' | 'deadline'>,
    signal: RequestSignal,
  ): Promise<void> {
    if (signal.aborted) return Promise.reject(abortReasonOf(signal));
    const execution = new WaitingExecution({
      priority,
      deadline,
      signal,
      onLeave: (left) => {
        this.#waiting.delete(left);
        this.#waitListener?.();
      },
      onDrop: this.#options.onDrop,
      removeFromQueue: (left) => this.#queue.remove(left),
    });
    this.#waiting.add(execution);
    if (this.#queue.tryStart(execution)) execution.onTurn();
    return execution.turn;
  }

  #scheduleSample(): void {
    this.#cancelTimer = this.#options.timers.after(sampleIntervalMs, () => this.#sample());
  }

  #sample(): void {
    this.#endOverdue();
    const { running, length } = this.#queue;
    if (length === 0 && running <= maxUnobserved) {
      this.#cancelTimer = undefined;
      this.#setLimit(minLimit);
      return;
    }
    const utilization = this.#options.readUtilization();
    // Executions that wait for a slow subgraph must not keep all others from starting: so the limit does not fall far
    // below what is under way.
    if (utilization > saturatedUtilization) this.#setLimit(Math.floor(running * saturatedShare));
    else if (utilization < spareUtilization) this.#setLimit(running * spareShare);
    this.#scheduleSample();
  }

  #setLimit(wanted: number): void {
    const limit = Math.max(minLimit, wanted);
    if (limit === this.#limit) return;
    this.#limit = limit;
    this.#queue.limits = limitsOf(limit);
  }

  #endOverdue(): void {
    if (this.#waiting.size === 0) return;
    const now = this.#options.timers.now();
    for (const execution of this.#waiting.toArray())
      if (execution.latestDeadline <= now) execution.fail(deadlineError());
  }
}

interface WaitingExecutionOptions {
  readonly priority: RequestPriority;
  /** Milliseconds, on the clock of the timers. */
  readonly deadline: number;
  readonly signal: RequestSignal;
  /** The execution waits no longer. */
  readonly onLeave: (execution: WaitingExecution) => void;
  readonly onDrop: (priority: RequestPriority) => void;
  readonly removeFromQueue: (execution: WaitingExecution) => void;
}

/** An execution in the queue. */
class WaitingExecution implements QueuedCall {
  readonly priority = 'primary';
  readonly isDeferred = false;
  readonly rank: number;
  readonly earliestDeadline: number;
  readonly latestDeadline: number;
  readonly #options: WaitingExecutionOptions;
  readonly #turn = Promise.withResolvers<void>();
  readonly #onAbort = (): void => this.fail(abortReasonOf(this.#options.signal));

  constructor(options: WaitingExecutionOptions) {
    this.#options = options;
    this.rank = callRankOf('primary', options.priority);
    this.earliestDeadline = options.deadline;
    this.latestDeadline = options.deadline;
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Resolves when the execution may start. */
  get turn(): Promise<void> {
    return this.#turn.promise;
  }

  onTurn(): void {
    this.#leave();
    this.#turn.resolve();
  }

  onDrop(reason: DropReason): void {
    this.#leave();
    if (reason !== 'deadline') this.#options.onDrop(this.#options.priority);
    this.#turn.reject(reason === 'deadline' ? deadlineError() : new ExecutionQueueTimeError());
  }

  /** Ends the wait with an error. */
  fail(error: unknown): void {
    this.#options.removeFromQueue(this);
    this.#leave();
    this.#turn.reject(error);
  }

  #leave(): void {
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#options.onLeave(this);
  }
}

function limitsOf(limit: number) {
  return { total: limit, primary: limit, deferred: 0, queued: Number.POSITIVE_INFINITY };
}

/** Ends a request that waited longer than `overload.executionQueueTime`. */
export class ExecutionQueueTimeError extends GatewayError {
  constructor() {
    super(
      'OVERLOADED',
      'The gateway has more requests than it can execute, and this one waited too long. Try again later (overload.executionQueueTime).',
    );
    this.name = 'ExecutionQueueTimeError';
  }
}

function deadlineError(): GatewayError {
  return new GatewayError(
    'DEADLINE_EXCEEDED',
    'The deadline of the request passed before its execution could start, because the gateway has too much to do (subgraphs.all.timeouts.deadline).',
  );
}
