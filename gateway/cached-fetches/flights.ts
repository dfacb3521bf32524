/** How a fetch of a missing value ended, for those who waited for it. */
export type FlightEnd<Failure> =
  /** The value may be stored now: look. */
  | { readonly kind: 'landed' }
  /** Whoever began it has left, or had less time: it was not brought to an end. */
  | { readonly kind: 'given up' }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** The missing values that this process is fetching, each by the one who asked first. */
export class Flights<Failure> {
  readonly #waiting = new Map<string, Set<(end: FlightEnd<Failure>) => void>>();

  /** False where the value is being fetched already. */
  begin(key: string): boolean {
    if (this.#waiting.has(key)) return false;
    this.#waiting.set(key, new Set());
    return true;
  }

  /** Waits for a fetch under way. Returns what ends the waiting; `undefined` where there is no such fetch. */
  join(key: string, onEnd: (end: FlightEnd<Failure>) => void): (() => void) | undefined {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return undefined;
    waiting.add(onEnd);
    return () => waiting.delete(onEnd);
  }

  isAwaited(key: string): boolean {
    return (this.#waiting.get(key)?.size ?? 0) > 0;
  }

  end(key: string, end: FlightEnd<Failure>): void {
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    for (const onEnd of waiting ?? []) onEnd(end);
  }

  get size(): number {
    return this.#waiting.size;
  }
}
