import type { EnrichmentPriority } from '../../operation/enrichmentRule.ts';

/** Ends a turn, or the wait for one. Idempotent. */
export type ReleaseSlot = () => void;

/** So many may work at a time; the others wait, the more important and then the earlier first. */
export class ConcurrencyLimiter {
  readonly #max: number;
  readonly #waiting: Readonly<Record<EnrichmentPriority, Set<() => void>>> = {
    CRITICAL: new Set(),
    NORMAL: new Set(),
    BACKGROUND: new Set(),
  };
  #active = 0;

  constructor(most: number) {
    this.#max = most;
  }

  /** Calls `begin` when it is its turn, at once where there is room. */
  acquire(priority: EnrichmentPriority, begin: () => void): ReleaseSlot {
    let state: 'waiting' | 'working' | 'ended' = 'waiting';
    const start = (): void => {
      state = 'working';
      this.#active += 1;
      begin();
    };
    const waiting = this.#waiting[priority];
    if (this.#active < this.#max) start();
    else waiting.add(start);
    return () => {
      if (state === 'working') {
        this.#active -= 1;
        this.#startNext();
      }
      state = 'ended';
      waiting.delete(start);
    };
  }

  #startNext(): void {
    for (const waiting of Object.values(this.#waiting)) {
      for (const start of waiting) {
        waiting.delete(start);
        start();
        return;
      }
    }
  }
}
