/** A clock that stands until a test moves it. */
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

  /** Fires what is due on the way, in the order of time. */
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
