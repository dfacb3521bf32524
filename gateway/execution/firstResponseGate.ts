import type { EnrichmentRule } from '../operation/enrichmentRule.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';
import type { LatencyBudget } from './latencyBudget.ts';

/** Decides when the first response may be sent. */
export interface ResponseGate {
  /** The first response may be sent. Rejects with the reason of `cancel`. */
  readonly readyToSend: Promise<void>;
  /** No fetch is running any more. Rejects with the reason of `cancel`. */
  readonly allComplete: Promise<void>;
  /** Delivery groups that the first response is sent without: they are not complete, or a later attempt may mend their
   *  failures. */
  readonly pendingGroups: ReadonlySet<number>;
  completeGroup(group: number): void;
  /** Rejects the promises that are not settled. */
  cancel(reason: unknown): void;
}

const noGroups: ReadonlySet<number> = new Set();

/** The gate of an operation without enrichments: opens when the primary data is complete. */
export class PrimaryDataGate implements ResponseGate {
  readonly pendingGroups = noGroups;
  readonly #complete = Promise.withResolvers<void>();

  get readyToSend(): Promise<void> {
    return this.#complete.promise;
  }

  get allComplete(): Promise<void> {
    return this.#complete.promise;
  }

  completeGroup(group: number): void {
    if (group === 0) this.#complete.resolve();
  }

  cancel(reason: unknown): void {
    // No caller awaits it while the execution waits for its turn.
    this.#complete.promise.catch(() => {});
    this.#complete.reject(reason);
  }
}

/** An enrichment of an operation with its latency budget. */
export interface AwaitedEnrichment {
  /** Its delivery group. */
  readonly group: number;
  readonly rule: EnrichmentRule;
  /** How long the first response waits for the enrichment, in milliseconds from the start of the request. */
  readonly budgetMs: number;
}

interface FirstResponseGateOptions {
  readonly enrichments: readonly AwaitedEnrichment[];
  /** Ignores the budgets: the first response waits until all enrichments are complete. */
  readonly waitsForAll: boolean;
  /** Expires when the first response is about to be sent without an enrichment. */
  readonly budget: LatencyBudget;
  /** Milliseconds since the start of the request. */
  elapsedMs(): number;
  readonly timers: Timers;
  /** Whether a complete enrichment has failures that a later attempt may mend. */
  isRetryable(group: number): boolean;
  /** Called once for each enrichment that is complete, with a fresh or a stale value, or with failures. */
  onReady(enrichment: AwaitedEnrichment, elapsedMs: number): void;
}

/** The gate of an operation with enrichments: opens when the primary data is complete and each enrichment is complete
 *  or over its budget. */
export class FirstResponseGate implements ResponseGate {
  readonly #options: FirstResponseGateOptions;
  readonly #pending = new Map<number, AwaitedEnrichment>();
  readonly #failedGroups = new Set<number>();
  readonly #readyToSend = Promise.withResolvers<void>();
  readonly #allComplete = Promise.withResolvers<void>();
  #isPrimaryComplete = false;
  #isOpening = false;
  #stopTimer: CancelTimer = () => {};

  constructor(options: FirstResponseGateOptions) {
    this.#options = options;
    for (const enrichment of options.enrichments) this.#pending.set(enrichment.group, enrichment);
    // A caller may await only one of the two.
    this.#readyToSend.promise.catch(() => {});
    this.#allComplete.promise.catch(() => {});
  }

  get readyToSend(): Promise<void> {
    return this.#readyToSend.promise;
  }

  get allComplete(): Promise<void> {
    return this.#allComplete.promise;
  }

  get pendingGroups(): ReadonlySet<number> {
    return new Set([...this.#pending.keys(), ...this.#failedGroups]);
  }

  /** The groups of `pendingGroups` that are complete, with failures that a later attempt may mend. */
  get failedGroups(): ReadonlySet<number> {
    return new Set(this.#failedGroups);
  }

  /** The enrichments that are not complete. */
  get pendingEnrichments(): readonly AwaitedEnrichment[] {
    return [...this.#pending.values()];
  }

  completeGroup(group: number): void {
    if (group === 0) this.#isPrimaryComplete = true;
    const enrichment = this.#pending.get(group);
    if (enrichment !== undefined) {
      this.#pending.delete(group);
      if (this.#options.isRetryable(group)) this.#failedGroups.add(group);
      this.#options.onReady(enrichment, this.#options.elapsedMs());
    }
    if (this.#isPrimaryComplete) this.#evaluate();
  }

  cancel(reason: unknown): void {
    this.#stopTimer();
    this.#readyToSend.reject(reason);
    this.#allComplete.reject(reason);
  }

  #evaluate(): void {
    this.#stopTimer();
    if (this.#pending.size === 0) {
      this.#readyToSend.resolve();
      this.#allComplete.resolve();
      return;
    }
    if (this.#isOpening || this.#options.waitsForAll) return;
    const budgetMs = Math.max(...Array.from(this.#pending.values(), (enrichment) => enrichment.budgetMs));
    const leftMs = budgetMs - this.#options.elapsedMs();
    if (leftMs > 0) this.#stopTimer = this.#options.timers.after(leftMs, () => this.#evaluate());
    else void this.#openGate();
  }

  /** Opens after the event loop turns in which the cache answers expired fetches with stale values. After a pause of this
   *  process, responses that have arrived meanwhile are read in the first of them. */
  async #openGate(): Promise<void> {
    this.#isOpening = true;
    const { budget } = this.#options;
    budget.expire();
    const turns = budget.mayServeStale ? staleLookupTurns : 1;
    for (let turn = 0; turn < turns && this.#pending.size > 0; turn++) await yieldToEventLoop();
    budget.end();
    this.#readyToSend.resolve();
  }
}

/** Event loop turns that stale values may take: one fetch may wait for another. */
const staleLookupTurns = 2;
