import { LRUCache } from 'lru-cache';

/** Keys whose refresh has failed, and that are left alone for a while. */
export class RefreshBackoff {
  readonly #blockedUntil = new LRUCache<string, number>({ max: 10_000 });
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  backOff(key: string, forMs: number): void {
    this.#blockedUntil.set(key, this.#now() + forMs);
  }

  isBackingOff(key: string): boolean {
    const until = this.#blockedUntil.get(key);
    if (until === undefined) return false;
    if (this.#now() < until) return true;
    this.#blockedUntil.delete(key);
    return false;
  }
}
