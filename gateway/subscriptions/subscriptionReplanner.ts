import { GatewayError } from '../errors.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';

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

interface SubscriptionReplannerOptions<Live extends Replannable> {
  readonly timers: Timers;
  listActive(): Iterable<Live>;
  onReplanned(live: Live, operation: PreparedOperation): void;
  /** The operation is not valid with the new supergraph. */
  onInvalid(live: Live): void;
}

const retryDelays = { minDelay: 100, maxDelay: 10_000 };

/** Attempts to plan the subscriptions whose planning fails for another reason than overload. */
const maxPlanningFailures = 5;

/** Plans all running subscriptions for the latest supergraph, one after the other. A subscription whose planning fails
 *  temporarily continues with its old plan, and is planned again after a delay. */
export class SubscriptionReplanner<Live extends Replannable> {
  readonly #options: SubscriptionReplannerOptions<Live>;
  #latest: { readonly supergraph: Supergraph; readonly prepare: ReprepareOperation } | undefined;
  #currentRounds: Promise<void> | undefined;
  #isRoundRequested = false;
  /** Retries since the latest supergraph arrived. */
  #attempt = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: SubscriptionReplannerOptions<Live>) {
    this.#options = options;
  }

  /** Resolves when every subscription was visited, with this supergraph or a later one. */
  replanAll(supergraph: Supergraph, prepare: ReprepareOperation): Promise<void> {
    this.#latest = { supergraph, prepare };
    this.#attempt = 0;
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
    while (this.#isRoundRequested) {
      this.#isRoundRequested = false;
      await this.#runRound();
    }
    this.#currentRounds = undefined;
  }

  async #runRound(): Promise<void> {
    const latest = this.#latest;
    if (latest === undefined) return;
    const { listActive, onReplanned, onInvalid } = this.#options;
    let needsRetry = false;
    for (const live of listActive()) {
      const { subscription } = live;
      if (subscription.operation.supergraph === latest.supergraph) continue;
      const next = await this.#prepare(latest.prepare, subscription);
      // A newer supergraph arrived: the next round plans for that one.
      if (this.#latest !== latest) return;
      if (next === 'retry') needsRetry = true;
      else if (next === undefined) onInvalid(live);
      else onReplanned(live, next);
    }
    if (needsRetry) this.#scheduleRetry();
  }

  async #prepare(prepare: ReprepareOperation, { request, requestContext }: Replannable['subscription']) {
    try {
      return await prepare(request, requestContext);
    } catch (error) {
      return isTransientPlanningFailure(error, this.#attempt) ? 'retry' : undefined;
    }
  }

  #scheduleRetry(): void {
    this.#attempt += 1;
    this.#cancelTimer = this.#options.timers.after(
      backoffDelayMs(this.#attempt, retryDelays),
      () => void this.#requestRound(),
    );
  }
}

/** An overloaded planner says nothing about the operation. A planner that crashed may have crashed for another one. */
function isTransientPlanningFailure(error: unknown, attempt: number): boolean {
  const code = error instanceof GatewayError ? error.code : undefined;
  if (code === 'OVERLOADED') return true;
  return (code === undefined || code === 'PLANNING_FAILED') && attempt + 1 < maxPlanningFailures;
}
