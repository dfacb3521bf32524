import { LRUCache } from 'lru-cache';

/** Keys whose refresh has failed, and that are left alone for a while. */
export class HeldKeys {
  readonly #until = new LRUCache<string, number>({ max: 10_000 });
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  hold(key: string, forMs: number): void {
    this.#until.set(key, this.#now() + forMs);
  }

  isHeld(key: string): boolean {
    const until = this.#until.get(key);
    if (until === undefined) return false;
    if (this.#now() < until) return true;
    this.#until.delete(key);
    return false;
  }
}
