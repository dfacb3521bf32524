/** Whether the first response still waits for enrichments. When the budget expires, fetches in flight can be answered with
 *  stale values. */
export class LatencyBudget {
  /** A fetch with this budget looks for stale values. Set by the cache. */
  mayServeStale = false;
  #state: 'running' | 'expired' | 'over' = 'running';
  readonly #listeners = new Set<() => void>();
  readonly #staleFallbacks = new Map<number, StaleFallbacks>();

  /** Whether a stale value is better than to wait longer. */
  get isExpired(): boolean {
    return this.#state === 'expired';
  }

  expire(): void {
    if (this.#state !== 'running') return;
    this.#state = 'expired';
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }

  /** The first response is sent: what is fetched from now on is for updates, which wait for fresh values. */
  end(): void {
    this.#state = 'over';
    this.#listeners.clear();
  }

  /** Calls the listener when the budget expires, or at once if it has expired. Returns a function that removes the listener. */
  onExpire(listener: () => void): () => void {
    if (this.#state === 'expired') listener();
    if (this.#state !== 'running') return () => {};
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A stale value has answered a fetch of this delivery group; the fetch continues. Call the returned function at its end. */
  trackStaleFallback(group: number): () => void {
    const fallbacks = this.#staleFallbacks.get(group) ?? { count: 0, listeners: [] };
    this.#staleFallbacks.set(group, fallbacks);
    fallbacks.count += 1;
    return () => {
      fallbacks.count -= 1;
      if (fallbacks.count > 0) return;
      this.#staleFallbacks.delete(group);
      for (const listener of fallbacks.listeners) listener();
    };
  }

  /** Calls the listener when all fetches of a delivery group that stale values have answered have ended, which may be long
   *  after the response; at once if there are none. */
  onRefreshed(group: number, listener: () => void): void {
    const fallbacks = this.#staleFallbacks.get(group);
    if (fallbacks === undefined) listener();
    else fallbacks.listeners.push(listener);
  }
}

interface StaleFallbacks {
  count: number;
  readonly listeners: (() => void)[];
}
