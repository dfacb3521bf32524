import type { CallPriority } from '../subgraph-client/callPriority.ts';

/** How a fetch of a missing value ended, for those who waited for it. */
export type FlightEnd<Failure> =
  /** The value may be stored now, or what came was for the one who asked alone: look. */
  | { readonly kind: 'landed' }
  /** Whoever began it has left, or had less time: it was not brought to an end. */
  | { readonly kind: 'given up' }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** The one who fetches. */
export interface Pilot {
  /** Somebody of this priority waits, too. */
  onJoin(priority: CallPriority): void;
  /** The last one who waited has left. */
  onAlone(): void;
}

interface Flight<Failure> {
  readonly waiting: Set<(end: FlightEnd<Failure>) => void>;
  readonly pilot: Pilot;
}

/** The missing values that this process is fetching, each by the one who asked first. */
export class Flights<Failure> {
  readonly #flights = new Map<string, Flight<Failure>>();

  /** False where the value is being fetched already. */
  begin(key: string, pilot: Pilot): boolean {
    if (this.#flights.has(key)) return false;
    this.#flights.set(key, { waiting: new Set(), pilot });
    return true;
  }

  /** Waits for a fetch under way. Returns what ends the waiting; `undefined` where there is no such fetch. */
  join(
    key: string,
    priority: CallPriority,
    onEnd: (end: FlightEnd<Failure>) => void,
  ): (() => void) | undefined {
    const flight = this.#flights.get(key);
    if (flight === undefined) return undefined;
    flight.waiting.add(onEnd);
    flight.pilot.onJoin(priority);
    return () => {
      if (flight.waiting.delete(onEnd) && flight.waiting.size === 0) flight.pilot.onAlone();
    };
  }

  isAwaited(key: string): boolean {
    return (this.#flights.get(key)?.waiting.size ?? 0) > 0;
  }

  end(key: string, end: FlightEnd<Failure>): void {
    const flight = this.#flights.get(key);
    if (flight === undefined) return;
    this.#flights.delete(key);
    const waiting = [...flight.waiting];
    flight.waiting.clear();
    for (const onEnd of waiting) onEnd(end);
  }

  get size(): number {
    return this.#flights.size;
  }
}
