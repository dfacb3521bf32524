import type { EnrichmentPriority } from '../../operation/enrichmentRule.ts';

/** Releases a slot, or stops waiting for one. Idempotent. */
export type ReleaseSlot = () => void;

/** Limits concurrent attempts. Waiting callers get a slot by priority, then in the order of their calls. */
export class ConcurrencyLimiter {
  readonly #max: number;
  readonly #waiting: Readonly<Record<EnrichmentPriority, Set<() => void>>> = {
    CRITICAL: new Set(),
    NORMAL: new Set(),
    BACKGROUND: new Set(),
  };
  #active = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Calls `onAcquired` when a slot is free, perhaps at once. */
  acquire(priority: EnrichmentPriority, onAcquired: () => void): ReleaseSlot {
    let state: 'waiting' | 'active' | 'released' = 'waiting';
    const start = (): void => {
      state = 'active';
      this.#active += 1;
      onAcquired();
    };
    const waiting = this.#waiting[priority];
    if (this.#active < this.#max) start();
    else waiting.add(start);
    return () => {
      if (state === 'active') {
        this.#active -= 1;
        this.#startNext();
      }
      state = 'released';
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
