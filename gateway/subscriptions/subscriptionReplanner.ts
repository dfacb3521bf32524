import { GatewayError } from '../errors.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';

/** Prepares the operation of a subscription for another supergraph. `undefined` if it is not valid there. */
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
  /** All that are under way. */
  listActive(): Iterable<Live>;
  onReplanned(live: Live, operation: PreparedOperation): void;
  /** It is not valid any more. */
  onInvalid(live: Live): void;
}

const retryDelays = { minDelay: 100, maxDelay: 10_000 };

/** How often it is tried to plan an operation for which planning fails, and not just for want of time. */
const maxPlanningFailures = 5;

/** Brings every subscription to the latest supergraph, one after the other. What cannot be planned at the moment goes
 *  on as it was, and is tried again. */
export class SubscriptionReplanner<Live extends Replannable> {
  readonly #options: SubscriptionReplannerOptions<Live>;
  #latest: { readonly supergraph: Supergraph; readonly prepare: ReprepareOperation } | undefined;
  #currentRounds: Promise<void> | undefined;
  #isRoundRequested = false;
  #attempt = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: SubscriptionReplannerOptions<Live>) {
    this.#options = options;
  }

  /** Resolves when all have been looked at, with this supergraph or a later one. */
  replanAll(supergraph: Supergraph, prepare: ReprepareOperation): Promise<void> {
    this.#latest = { supergraph, prepare };
    this.#attempt = 0;
    return this.#requestRound();
  }

  /** This one has just come. It may have been prepared before a switch. */
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
    let hasPutOff = false;
    for (const live of listActive()) {
      const { subscription } = live;
      if (subscription.operation.supergraph === latest.supergraph) continue;
      const next = await this.#prepare(latest.prepare, subscription);
      // The next round is for another one.
      if (this.#latest !== latest) return;
      if (next === 'later') hasPutOff = true;
      else if (next === undefined) onInvalid(live);
      else onReplanned(live, next);
    }
    if (hasPutOff) this.#scheduleRetry();
  }

  async #prepare(prepare: ReprepareOperation, { request, requestContext }: Replannable['subscription']) {
    try {
      return await prepare(request, requestContext);
    } catch (error) {
      return isTransientPlanningFailure(error, this.#attempt) ? 'later' : undefined;
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

/** A planner that is busy says nothing about the operation, and one that was lost perhaps nothing. */
function isTransientPlanningFailure(error: unknown, attempt: number): boolean {
  const code = error instanceof GatewayError ? error.code : undefined;
  if (code === 'OVERLOADED') return true;
  return (code === undefined || code === 'PLANNING_FAILED') && attempt + 1 < maxPlanningFailures;
}
