import type { CallPriority } from '../../subgraphs/callPriority.ts';

/** How a fetch of a missing value ended, for those who waited for it. */
export type FetchOutcome<Failure> =
  /** The value may be stored now, or what came was for the one who asked alone: look. */
  | { readonly kind: 'completed' }
  /** Whoever began it has left, or had less time: it was not brought to an end. */
  | { readonly kind: 'abandoned' }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** The one who fetches. */
export interface Leader {
  /** Somebody of this priority waits, too. */
  onJoin(priority: CallPriority): void;
  /** The last one who waited has left. */
  onLastJoinerLeft(): void;
}

interface InFlightFetch<Failure> {
  readonly joiners: Set<(end: FetchOutcome<Failure>) => void>;
  readonly leader: Leader;
}

/** The missing values that this process is fetching, each by the one who asked first. */
export class SingleFlight<Failure> {
  readonly #inFlight = new Map<string, InFlightFetch<Failure>>();

  /** False where the value is being fetched already. */
  tryLead(key: string, pilot: Leader): boolean {
    if (this.#inFlight.has(key)) return false;
    this.#inFlight.set(key, { joiners: new Set(), leader: pilot });
    return true;
  }

  /** Waits for a fetch under way. Returns what ends the waiting; `undefined` where there is no such fetch. */
  join(
    key: string,
    priority: CallPriority,
    onEnd: (end: FetchOutcome<Failure>) => void,
  ): (() => void) | undefined {
    const flight = this.#inFlight.get(key);
    if (flight === undefined) return undefined;
    flight.joiners.add(onEnd);
    flight.leader.onJoin(priority);
    return () => {
      if (flight.joiners.delete(onEnd) && flight.joiners.size === 0) flight.leader.onLastJoinerLeft();
    };
  }

  hasJoiners(key: string): boolean {
    return (this.#inFlight.get(key)?.joiners.size ?? 0) > 0;
  }

  settle(key: string, end: FetchOutcome<Failure>): void {
    const flight = this.#inFlight.get(key);
    if (flight === undefined) return;
    this.#inFlight.delete(key);
    const waiting = [...flight.joiners];
    flight.joiners.clear();
    for (const onEnd of waiting) onEnd(end);
  }

  get size(): number {
    return this.#inFlight.size;
  }
}
