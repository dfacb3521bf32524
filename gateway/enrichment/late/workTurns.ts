import type { EnrichmentPriority } from '../enrichmentRule.ts';

/** Ends a turn, or the wait for one. Idempotent. */
export type EndTurn = () => void;

/** So many may work at a time; the others wait, the more important and then the earlier first. */
export class WorkTurns {
  readonly #most: number;
  readonly #waiting: Readonly<Record<EnrichmentPriority, Set<() => void>>> = {
    CRITICAL: new Set(),
    NORMAL: new Set(),
    BACKGROUND: new Set(),
  };
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Calls `begin` when it is its turn, at once where there is room. */
  take(priority: EnrichmentPriority, begin: () => void): EndTurn {
    let state: 'waiting' | 'working' | 'ended' = 'waiting';
    const start = (): void => {
      state = 'working';
      this.#taken += 1;
      begin();
    };
    const waiting = this.#waiting[priority];
    if (this.#taken < this.#most) start();
    else waiting.add(start);
    return () => {
      if (state === 'working') {
        this.#taken -= 1;
        this.#callNext();
      }
      state = 'ended';
      waiting.delete(start);
    };
  }

  #callNext(): void {
    for (const waiting of Object.values(this.#waiting)) {
      for (const start of waiting) {
        waiting.delete(start);
        start();
        return;
      }
    }
  }
}
