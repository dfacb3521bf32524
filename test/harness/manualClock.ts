/** A clock that a test moves. */
export class ManualClock {
  #now = 1000;
  #timers = new Set<{ readonly at: number; readonly fire: () => void }>();

  readonly now = (): number => this.#now;

  readonly setTimer = (fire: () => void, delayMs: number): (() => void) => {
    const timer = { at: this.#now + delayMs, fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  get activeTimerCount(): number {
    return this.#timers.size;
  }

  /** Advances the clock and fires the timers that are due by then, in the order of their times. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      let next: { readonly at: number; readonly fire: () => void } | undefined;
      for (const timer of this.#timers) {
        if (timer.at <= end && (next === undefined || timer.at < next.at)) next = timer;
      }
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fire();
    }
    this.#now = end;
  }
}
