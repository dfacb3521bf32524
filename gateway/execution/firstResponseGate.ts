import type { EnrichmentRule } from '../operation/enrichmentRule.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { yieldToEventLoop } from '../time/yieldToEventLoop.ts';
import { LatencyBudget } from './latencyBudget.ts';

/** An enrichment of an operation, and how long the first answer waits for it. */
export interface AwaitedEnrichment {
  /** Its delivery group. */
  readonly group: number;
  readonly rule: EnrichmentRule;
  /** Milliseconds from the request's start. */
  readonly budgetMs: number;
}

interface FirstResponseGateOptions {
  readonly enrichments: readonly AwaitedEnrichment[];
  /** Wait for all of them, as long as it takes. */
  readonly waitsForAll: boolean;
  /** Since the request's start, in milliseconds. */
  elapsedMs(): number;
  readonly timers: Timers;
  /** Called once for each enrichment, when it is there, be it with an older value. */
  onReady(enrichment: AwaitedEnrichment, elapsedMs: number): void;
}

/** Decides when the first answer leaves: when the primary data is there, and each enrichment is as well or its budget
 *  is over. */
export class FirstResponseGate {
  /** Over from the moment on at which the answer is about to leave without something. */
  readonly budget = new LatencyBudget();
  readonly #options: FirstResponseGateOptions;
  readonly #pending = new Map<number, AwaitedEnrichment>();
  readonly #readyToSend = Promise.withResolvers<void>();
  readonly #allComplete = Promise.withResolvers<void>();
  #isPrimaryComplete = false;
  #isOpening = false;
  #stopTimer: CancelTimer = () => {};

  constructor(options: FirstResponseGateOptions) {
    this.#options = options;
    for (const enrichment of options.enrichments) this.#pending.set(enrichment.group, enrichment);
    // Whoever waits for one of them need not wait for the other.
    this.#readyToSend.promise.catch(() => {});
    this.#allComplete.promise.catch(() => {});
  }

  /** The first answer may leave. Rejects with the reason of `cancel`. */
  get readyToSend(): Promise<void> {
    return this.#readyToSend.promise;
  }

  /** Everything is there. Rejects with the reason of `cancel`. */
  get allComplete(): Promise<void> {
    return this.#allComplete.promise;
  }

  /** Those that are not there. */
  get pending(): readonly AwaitedEnrichment[] {
    return [...this.#pending.values()];
  }

  completeGroup(group: number): void {
    if (group === 0) this.#isPrimaryComplete = true;
    const enrichment = this.#pending.get(group);
    if (enrichment !== undefined) {
      this.#pending.delete(group);
      this.#options.onReady(enrichment, this.#options.elapsedMs());
    }
    if (this.#isPrimaryComplete) this.#evaluate();
  }

  /** Nobody waits any more. */
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

  /** What is kept of values that are not there in time is taken in the turns after this one, one fetch after another. */
  async #openGate(): Promise<void> {
    this.#isOpening = true;
    this.budget.expire();
    for (let turns = 0; turns < staleLookupTurns && this.#pending.size > 0; turns++) await yieldToEventLoop();
    this.#readyToSend.resolve();
  }
}

const staleLookupTurns = 2;
