import type { AwaitedEnrichment } from '../execution/firstAnswerWait.ts';
import { nextTurn } from '../time/nextTurn.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';

export interface OverdueWatchOptions {
  readonly enrichments: readonly AwaitedEnrichment[];
  /** Since the request's start, in milliseconds. */
  elapsedMs(): number;
  readonly timers: Timers;
  /** Called once for each enrichment that is not there when its budget is over. */
  onOverdue(enrichment: AwaitedEnrichment): void;
}

/** Tells what is overdue when it is, also where the primary data is not there either: then no answer leaves that could
 *  tell, and the calls may take as long as they like. */
export class OverdueWatch {
  readonly #options: OverdueWatchOptions;
  readonly #open = new Map<number, AwaitedEnrichment>();
  #stopTimer: CancelTimer = () => {};

  constructor(options: OverdueWatchOptions) {
    this.#options = options;
    for (const enrichment of options.enrichments) this.#open.set(enrichment.id + 1, enrichment);
    this.#waitForNext();
  }

  completeGroup(group: number): void {
    this.#open.delete(group);
    if (this.#open.size === 0) this.#stopTimer();
  }

  /** Nothing is told any more. */
  stop(): void {
    this.#open.clear();
    this.#stopTimer();
  }

  #waitForNext(): void {
    if (this.#open.size === 0) return;
    const { timers, elapsedMs } = this.#options;
    const nextMs = Math.min(...Array.from(this.#open.values(), ({ budgetMs }) => budgetMs));
    this.#stopTimer = timers.after(Math.max(0, nextMs - elapsedMs()), () => void this.#tell());
  }

  async #tell(): Promise<void> {
    // Where it was this process that stood still, what has come meanwhile is read in this turn, after the timers.
    await nextTurn();
    const elapsedMs = this.#options.elapsedMs();
    for (const [group, enrichment] of this.#open) {
      if (enrichment.budgetMs > elapsedMs) continue;
      this.#open.delete(group);
      this.#options.onOverdue(enrichment);
    }
    this.#waitForNext();
  }
}
