import type { Timers } from '../../gateway/time/timers.ts';

/** A clock that moves only with `advance`. */
export class FakeTimers implements Timers {
  #now = 0;
  readonly #pending = new Set<{ readonly at: number; readonly run: () => void }>();

  /** Timers that have not fired. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  readonly now = (): number => this.#now;

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#pending.add(timer);
    return () => this.#pending.delete(timer);
  }

  /** Advances the clock and fires the timers that are due by then, each at its time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#pending]
        .filter(({ at }) => at <= end)
        .sort((left, right) => left.at - right.at)[0];
      if (due === undefined) break;
      this.#now = Math.max(this.#now, due.at);
      this.#pending.delete(due);
      due.run();
    }
    this.#now = end;
  }
}
