import { ApolloLink } from '@apollo/client';
import { tap } from 'rxjs';

/** When a part of an answer came. */
export interface Arrival {
  /** Milliseconds since the request was sent. */
  readonly afterMs: number;
  readonly hasFailed: boolean;
}

export interface Arrivals {
  /** The first payload. */
  readonly first: Arrival | undefined;
  /** Deferred parts by the label of their `@defer`. */
  readonly deferred: ReadonlyMap<string, Arrival>;
  /** Nothing more will come. */
  readonly isOver: boolean;
}

const nothingYet: Arrivals = { first: undefined, deferred: new Map(), isOver: false };

/** Notes when the parts of one answer arrive. A query carries it in its context as `arrivals`. */
export class ArrivalRecorder {
  #arrivals = nothingYet;
  #startedAt = 0;
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly snapshot = (): Arrivals => this.#arrivals;

  start(): void {
    this.#startedAt = performance.now();
    this.#set(nothingYet);
  }

  payload(payload: unknown): void {
    const afterMs = Math.round(performance.now() - this.#startedAt);
    const { first, deferred } = this.#arrivals;
    const later = new Map(deferred);
    for (const part of incrementalParts(payload)) {
      later.set(part.label ?? '', { afterMs, hasFailed: hasNothing(part) });
    }
    this.#set({ first: first ?? { afterMs, hasFailed: false }, deferred: later, isOver: false });
  }

  end(): void {
    this.#set({ ...this.#arrivals, isOver: true });
  }

  #set(arrivals: Arrivals): void {
    this.#arrivals = arrivals;
    for (const listener of this.#listeners) listener();
  }
}

interface IncrementalPart {
  readonly label?: string | null;
  readonly data?: object | null;
  readonly errors?: readonly unknown[];
}

function incrementalParts(payload: unknown): readonly IncrementalPart[] {
  if (typeof payload !== 'object' || payload === null || !('incremental' in payload)) return [];
  return Array.isArray(payload.incremental) ? payload.incremental : [];
}

/** A failing field empties its whole fragment or, where it may be null, only itself. */
function hasNothing({ data, errors }: IncrementalPart): boolean {
  if (data === null || data === undefined) return true;
  const hasErrors = errors !== undefined && errors.length > 0;
  return hasErrors && Object.entries(data).every(([name, value]) => name === '__typename' || value === null);
}

/** Tells the operation's recorder, if it has one, about each payload as it comes off the wire: before the cache
 *  and React, which may show several at once. */
export const arrivalLink = new ApolloLink((operation, forward) => {
  const recorder: unknown = operation.getContext().arrivals;
  if (!(recorder instanceof ArrivalRecorder)) return forward(operation);
  recorder.start();
  return forward(operation).pipe(
    tap({
      next: (payload) => recorder.payload(payload),
      error: () => recorder.end(),
      complete: () => recorder.end(),
    }),
  );
});
