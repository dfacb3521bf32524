import type { Timers } from '../../gateway/time/timers.ts';

/** Timers that fire when the test lets the time pass. */
export class FakeTimers implements Timers {
  #now = 0;
  readonly #pending = new Set<{ readonly at: number; readonly run: () => void }>();

  /** Timers that wait. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#pending.add(timer);
    return () => this.#pending.delete(timer);
  }

  /** Lets so many milliseconds pass. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#pending].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
      if (due === undefined) break;
      this.#now = due.at;
      this.#pending.delete(due);
      due.run();
    }
    this.#now = end;
  }
}
