import type { EnrichmentRule } from '../enrichment/enrichmentRule.ts';
import { nextTurn } from '../time/nextTurn.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { Budget } from './budget.ts';

/** An enrichment of an operation, and how long the first answer waits for it. */
export interface AwaitedEnrichment {
  /** Its delivery group is the next one. */
  readonly id: number;
  readonly rule: EnrichmentRule;
  /** Milliseconds from the request's start. */
  readonly budgetMs: number;
}

export interface FirstAnswerWaitOptions {
  readonly enrichments: readonly AwaitedEnrichment[];
  /** Wait for all of them, as long as it takes. */
  readonly isPatient: boolean;
  /** Since the request's start, in milliseconds. */
  elapsedMs(): number;
  readonly timers: Timers;
  /** Called once for each enrichment, when it is there, be it with an older value. */
  onReady(enrichment: AwaitedEnrichment, elapsedMs: number): void;
}

/** Decides when the first answer leaves: when the primary data is there, and each enrichment is as well or its budget
 *  is over. */
export class FirstAnswerWait {
  /** Over from the moment on at which the answer is about to leave without something. */
  readonly budget = new Budget();
  readonly #options: FirstAnswerWaitOptions;
  readonly #open = new Map<number, AwaitedEnrichment>();
  readonly #over = Promise.withResolvers<void>();
  readonly #complete = Promise.withResolvers<void>();
  #isPrimaryThere = false;
  #isLeaving = false;
  #stopTimer: CancelTimer = () => {};

  constructor(options: FirstAnswerWaitOptions) {
    this.#options = options;
    for (const enrichment of options.enrichments) this.#open.set(enrichment.id + 1, enrichment);
    // Whoever waits for one of them need not wait for the other.
    this.#over.promise.catch(() => {});
    this.#complete.promise.catch(() => {});
  }

  /** The first answer may leave. Rejects with the reason of `cancel`. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Everything is there. Rejects with the reason of `cancel`. */
  get complete(): Promise<void> {
    return this.#complete.promise;
  }

  /** Those that are not there. */
  get late(): readonly AwaitedEnrichment[] {
    return [...this.#open.values()];
  }

  completeGroup(group: number): void {
    if (group === 0) this.#isPrimaryThere = true;
    const enrichment = this.#open.get(group);
    if (enrichment !== undefined) {
      this.#open.delete(group);
      this.#options.onReady(enrichment, this.#options.elapsedMs());
    }
    if (this.#isPrimaryThere) this.#check();
  }

  /** Nobody waits any more. */
  cancel(reason: unknown): void {
    this.#stopTimer();
    this.#over.reject(reason);
    this.#complete.reject(reason);
  }

  #check(): void {
    this.#stopTimer();
    if (this.#open.size === 0) {
      this.#over.resolve();
      this.#complete.resolve();
      return;
    }
    if (this.#isLeaving || this.#options.isPatient) return;
    const budgetMs = Math.max(...Array.from(this.#open.values(), (enrichment) => enrichment.budgetMs));
    const leftMs = budgetMs - this.#options.elapsedMs();
    if (leftMs > 0) this.#stopTimer = this.#options.timers.after(leftMs, () => this.#check());
    else void this.#leave();
  }

  /** What is kept of values that are not there in time is taken in the turns after this one, one fetch after another. */
  async #leave(): Promise<void> {
    this.#isLeaving = true;
    this.budget.end();
    for (let turns = 0; turns < turnsForOlderValues && this.#open.size > 0; turns++) await nextTurn();
    this.#over.resolve();
  }
}

const turnsForOlderValues = 2;
