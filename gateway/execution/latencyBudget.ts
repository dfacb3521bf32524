/** How long an answer waits for what may come late. Fetches that are under way when it is over may still be answered
 *  with something older. */
export class LatencyBudget {
  #isExpired = false;
  readonly #listeners = new Set<() => void>();
  readonly #staleFallbacks = new Map<number, StaleFallbacks>();

  get isExpired(): boolean {
    return this.#isExpired;
  }

  expire(): void {
    if (this.#isExpired) return;
    this.#isExpired = true;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }

  /** Calls when it is over; at once where it is. Returns what takes the listener off. */
  onExpire(listener: () => void): () => void {
    if (this.#isExpired) {
      listener();
      return () => {};
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Something older has answered a fetch of a delivery group, which goes on. To be called back when it has ended. */
  trackStaleFallback(group: number): () => void {
    const standIns = this.#staleFallbacks.get(group) ?? { count: 0, listeners: [] };
    this.#staleFallbacks.set(group, standIns);
    standIns.count += 1;
    return () => {
      standIns.count -= 1;
      if (standIns.count > 0) return;
      this.#staleFallbacks.delete(group);
      for (const listener of standIns.listeners) listener();
    };
  }

  /** Calls when every fetch of a delivery group has ended for which something older stands in, which may be long after
   *  the answer; at once where there is none. */
  onRefreshed(group: number, listener: () => void): void {
    const standIns = this.#staleFallbacks.get(group);
    if (standIns === undefined) listener();
    else standIns.listeners.push(listener);
  }
}

interface StaleFallbacks {
  count: number;
  readonly listeners: (() => void)[];
}
