import type { Timers } from '../../gateway/time/timers.ts';

interface FakeTimer {
  readonly ms: number;
  readonly at: number;
  readonly run: () => void;
}

/** A clock that only a test moves: by a duration with `advance`, or to one timer with `fire`. */
export class FakeTimers implements Timers {
  #now = 0;
  readonly #pending = new Set<FakeTimer>();
  readonly #unseen: number[] = [];
  readonly #watchers = new Set<{ readonly ms: number; readonly resolve: () => void }>();

  /** Timers that have not fired. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  readonly now = (): number => this.#now;

  after(ms: number, run: () => void): () => void {
    const timer = { ms, at: this.#now + ms, run };
    this.#pending.add(timer);
    const watcher = [...this.#watchers].find((candidate) => candidate.ms === ms);
    if (watcher === undefined) this.#unseen.push(ms);
    else {
      this.#watchers.delete(watcher);
      watcher.resolve();
    }
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
      this.#run(due);
    }
    this.#now = end;
  }

  /** The delays of the timers that have not fired, in milliseconds, in the order of their start. */
  pendingMs(): number[] {
    return [...this.#pending].map(({ ms }) => ms);
  }

  /** Moves the clock to the time of the oldest timer with this delay, and fires that timer only.
   *  @throws {Error} when no timer has it. */
  fire(ms: number): void {
    const timer = [...this.#pending].find((candidate) => candidate.ms === ms);
    if (timer === undefined) throw new Error(`No timer has a delay of ${ms} ms.`);
    this.#run(timer);
  }

  /** Resolves when a timer with this delay starts, at once for a timer that no earlier call has returned. */
  waitForTimer(ms: number): Promise<void> {
    const seen = this.#unseen.indexOf(ms);
    if (seen >= 0) {
      this.#unseen.splice(seen, 1);
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#watchers.add({ ms, resolve }));
  }

  #run(timer: FakeTimer): void {
    this.#now = Math.max(this.#now, timer.at);
    this.#pending.delete(timer);
    timer.run();
  }
}
