import type { AwaitedEnrichment } from '../../execution/firstResponseGate.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { yieldToEventLoop } from '../../time/yieldToEventLoop.ts';

interface OverdueWatchOptions {
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

  /** Nothing is told any more. */
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
    // Where it was this process that stood still, what has come meanwhile is read in this turn, after the timers.
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
