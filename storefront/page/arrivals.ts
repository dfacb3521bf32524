import { ApolloLink } from '@apollo/client';
import { tap } from 'rxjs';
import { pendingPaths, updateOf } from './enrichmentLink.ts';
import { isObject } from './isObject.ts';

/** When a part of a response arrived. */
export interface Arrival {
  /** Milliseconds since the request was sent. */
  readonly afterMs: number;
  readonly hasFailed: boolean;
}

interface Arrivals {
  /** The first payload. */
  readonly first: Arrival | undefined;
  /** Deferred parts, by the label of their `@defer` or by their path in the response. */
  readonly later: ReadonlyMap<string, Arrival>;
  /** Whether no more payloads will arrive. */
  readonly isComplete: boolean;
}

const noArrivals: Arrivals = { first: undefined, later: new Map(), isComplete: false };

/** Records when the parts of one response arrive. A query carries the recorder in its context as `arrivals`. */
export class ArrivalRecorder {
  #arrivals = noArrivals;
  #startedAt = 0;
  readonly #listeners = new Set<() => void>();
  readonly #enriched: readonly string[];

  /** `enriched`: paths such as `product.recommended` that may be pending in the first response. */
  constructor(enriched: readonly string[] = []) {
    this.#enriched = enriched;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): Arrivals => this.#arrivals;

  start(): void {
    this.#startedAt = performance.now();
    this.#set(noArrivals);
  }

  recordPayload(payload: unknown): void {
    const afterMs = Math.round(performance.now() - this.#startedAt);
    const later = new Map(this.#arrivals.later);
    for (const part of incrementalParts(payload)) {
      later.set(part.label ?? '', { afterMs, hasFailed: isEmptyPart(part) });
    }
    const update = updateOf(payload);
    if (update !== undefined) {
      later.set(update.path.join('.'), {
        afterMs,
        hasFailed: update.data === null || update.errors !== null,
      });
    }
    const { first } = this.#arrivals;
    if (first === undefined) this.#recordFirstPayload(payload, afterMs, later);
    this.#set({ first: first ?? { afterMs, hasFailed: false }, later, isComplete: false });
  }

  end(): void {
    this.#set({ ...this.#arrivals, isComplete: true });
  }

  /** Parts that are not pending arrived with the first payload, or failed with it. */
  #recordFirstPayload(payload: unknown, afterMs: number, later: Map<string, Arrival>): void {
    const pending = new Set(pendingPaths(payload).map((path) => path.join('.')));
    const failed = new Set(errorPaths(payload));
    for (const path of this.#enriched) {
      if (!pending.has(path)) later.set(path, { afterMs, hasFailed: failed.has(path) });
    }
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
  if (!isObject(payload) || !Array.isArray(payload.incremental)) return [];
  return payload.incremental;
}

function errorPaths(payload: unknown): readonly string[] {
  if (!isObject(payload) || !Array.isArray(payload.errors)) return [];
  return payload.errors.map(({ path }: { readonly path?: readonly (string | number)[] }) =>
    (path ?? []).join('.'),
  );
}

/** An error in a fragment sets the whole fragment to null, or only the failed field if that is nullable. */
function isEmptyPart({ data, errors }: IncrementalPart): boolean {
  if (data === null || data === undefined) return true;
  const hasErrors = errors !== undefined && errors.length > 0;
  return hasErrors && Object.entries(data).every(([name, value]) => name === '__typename' || value === null);
}

/** Reports each payload to the operation's recorder, if it has one, when the network delivers it. The cache and React
 *  come later and may combine several payloads. */
export const arrivalLink = new ApolloLink((operation, forward) => {
  const recorder: unknown = operation.getContext().arrivals;
  if (!(recorder instanceof ArrivalRecorder)) return forward(operation);
  recorder.start();
  return forward(operation).pipe(
    tap({
      next: (payload) => recorder.recordPayload(payload),
      error: () => recorder.end(),
      complete: () => recorder.end(),
    }),
  );
});
