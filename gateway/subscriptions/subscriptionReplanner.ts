import { type ErrorCode, GatewayError } from '../errors.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';

/** Prepares the operation of a subscription for a new supergraph. `undefined` if the operation is not valid there. */
export type ReprepareOperation = (
  request: OperationRequest,
  requestContext: RequestContext,
) => Promise<PreparedOperation | undefined>;

interface Replannable {
  readonly subscription: {
    readonly operation: PreparedOperation;
    readonly request: OperationRequest;
    readonly requestContext: RequestContext;
  };
}

interface SubscriptionReplannerOptions<Active extends Replannable> {
  readonly timers: Timers;
  listActive(): Iterable<Active>;
  onReplanned(active: Active, operation: PreparedOperation): void;
  /** The operation is not valid with the new supergraph. */
  onInvalid(active: Active): void;
}

/** Subscriptions with known plans that are visited without a pause, which takes a few milliseconds. */
const subscriptionsPerTurn = 100;

const retryDelays = { minDelay: 100, maxDelay: 10_000 };

/** Attempts to plan a subscription whose planning fails for another reason than overload. */
const maxPlanningFailures = 5;

/** Failures that say nothing about the operation: of the planner, which may have crashed for another one, and of hooks that
 *  decide what a client may read. */
const temporaryFailures: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'PLANNING_FAILED',
  'EXTENSION_FAILED',
  'DEADLINE_EXCEEDED',
  'INTERNAL_SERVER_ERROR',
]);

/** Plans all running subscriptions for the latest supergraph, one after the other. A subscription whose planning fails
 *  temporarily continues with its old plan, and is planned again after a delay. */
export class SubscriptionReplanner<Active extends Replannable> {
  readonly #options: SubscriptionReplannerOptions<Active>;
  #latest: { readonly supergraph: Supergraph; readonly prepare: ReprepareOperation } | undefined;
  #currentRounds: Promise<void> | undefined;
  #isRoundRequested = false;
  /** Rounds that were repeated since the latest supergraph arrived. */
  #retryCount = 0;
  /** Of planning for the latest supergraph. */
  #failureCounts = new WeakMap<Active, number>();
  #cancelTimer: CancelTimer | undefined;

  constructor(options: SubscriptionReplannerOptions<Active>) {
    this.#options = options;
  }

  /** Resolves when every subscription was visited, with this supergraph or a later one. */
  replanAll(supergraph: Supergraph, prepare: ReprepareOperation): Promise<void> {
    this.#latest = { supergraph, prepare };
    this.#retryCount = 0;
    this.#failureCounts = new WeakMap();
    return this.#requestRound();
  }

  /** For a new subscription, which may have been prepared before the supergraph changed. */
  replanIfOutdated({ subscription }: Replannable): void {
    if (this.#latest === undefined || this.#latest.supergraph === subscription.operation.supergraph) return;
    void this.#requestRound();
  }

  close(): void {
    this.#latest = undefined;
    this.#cancelTimer?.();
  }

  #requestRound(): Promise<void> {
    this.#isRoundRequested = true;
    this.#cancelTimer?.();
    this.#currentRounds ??= this.#runRounds();
    return this.#currentRounds;
  }

  async #runRounds(): Promise<void> {
    try {
      while (this.#isRoundRequested) {
        this.#isRoundRequested = false;
        await this.#runRound();
      }
    } finally {
      this.#currentRounds = undefined;
    }
  }

  async #runRound(): Promise<void> {
    const latest = this.#latest;
    if (latest === undefined) return;
    const { listActive, onReplanned, onInvalid } = this.#options;
    let needsRetry = false;
    let visited = 0;
    for (const active of listActive()) {
      if (active.subscription.operation.supergraph === latest.supergraph) continue;
      // Most plans are known already, and known plans alone yield to no other task.
      if (visited > 0 && visited % subscriptionsPerTurn === 0) await yieldToEventLoop();
      visited += 1;
      const next = await this.#prepare(latest.prepare, active);
      // A newer supergraph arrived: the next round plans for that one.
      if (this.#latest !== latest) return;
      if (next === 'retry') needsRetry = true;
      else if (next === undefined) onInvalid(active);
      else onReplanned(active, next);
    }
    if (needsRetry) this.#scheduleRetry();
  }

  async #prepare(prepare: ReprepareOperation, active: Active) {
    const { request, requestContext } = active.subscription;
    try {
      return await prepare(request, requestContext);
    } catch (error) {
      return this.#isWorthRetry(active, error) ? 'retry' : undefined;
    }
  }

  #isWorthRetry(active: Active, error: unknown): boolean {
    const code = error instanceof GatewayError ? error.code : 'INTERNAL_SERVER_ERROR';
    if (code === 'OVERLOADED') return true;
    if (!temporaryFailures.has(code)) return false;
    const count = (this.#failureCounts.get(active) ?? 0) + 1;
    this.#failureCounts.set(active, count);
    return count < maxPlanningFailures;
  }

  #scheduleRetry(): void {
    this.#retryCount += 1;
    this.#cancelTimer = this.#options.timers.after(
      backoffDelayMs(this.#retryCount, retryDelays),
      () => void this.#requestRound(),
    );
  }
}
