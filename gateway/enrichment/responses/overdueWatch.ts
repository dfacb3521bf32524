import type { AwaitedEnrichment } from '../../execution/firstResponseGate.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { yieldToEventLoop } from '../../time/yieldToEventLoop.ts';

interface OverdueWatchOptions {
  readonly enrichments: readonly AwaitedEnrichment[];
  /** Milliseconds since the start of the request. */
  elapsedMs(): number;
  readonly timers: Timers;
  /** Called once for each enrichment that is not complete at the end of its budget. */
  onOverdue(enrichment: AwaitedEnrichment): void;
}

/** Reports enrichments at the end of their budgets, also while the primary data is not complete: then no response is sent
 *  that could report them, however long their calls take. */
export class OverdueWatch {
  readonly #options: OverdueWatchOptions;
  readonly #pending = new Map<number, AwaitedEnrichment>();
  #stopTimer: CancelTimer = () => {};

  constructor(options: OverdueWatchOptions) {
    this.#options = options;
    for (const enrichment of options.enrichments) this.#pending.set(enrichment.group, enrichment);
    this.#scheduleNext();
  }

  completeGroup(group: number): void {
    this.#pending.delete(group);
    if (this.#pending.size === 0) this.#stopTimer();
  }

  /** Stops reporting. */
  stop(): void {
    this.#pending.clear();
    this.#stopTimer();
  }

  #scheduleNext(): void {
    if (this.#pending.size === 0) return;
    const { timers, elapsedMs } = this.#options;
    const nextMs = Math.min(...Array.from(this.#pending.values(), ({ budgetMs }) => budgetMs));
    this.#stopTimer = timers.after(Math.max(0, nextMs - elapsedMs()), () => void this.#report());
  }

  async #report(): Promise<void> {
    // After a pause of this process, responses that have arrived meanwhile are read in this turn, after the timers.
    await yieldToEventLoop();
    const elapsedMs = this.#options.elapsedMs();
    for (const [group, enrichment] of this.#pending) {
      if (enrichment.budgetMs > elapsedMs) continue;
      this.#pending.delete(group);
      this.#options.onOverdue(enrichment);
    }
    this.#scheduleNext();
  }
}
