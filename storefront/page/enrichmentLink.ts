import { ApolloLink } from '@apollo/client';
import { concat, type Observable, of, Observable as Stream, scan, switchMap } from 'rxjs';
import { isObject } from './isObject.ts';

type Path = readonly (string | number)[];

/** The result for a path that was pending in a response. */
export interface EnrichmentUpdate {
  readonly path: Path;
  readonly data: unknown;
  readonly errors: NonNullable<ApolloLink.Result['errors']> | null;
  readonly hasNext: boolean;
}

interface PendingField {
  readonly path: Path;
  /** `error`: it failed, and the gateway tries to fetch it again. */
  readonly reason?: 'budget' | 'error';
}

interface Enrichment {
  /** Absent if the gateway had no room to store the enrichments. */
  readonly token?: string;
  readonly pending: readonly PendingField[];
}

/** Adds deferred enrichments to a response. Emits the response at once, and the complete updated response again with
 *  each enrichment that arrives, so that Apollo Client writes it to its cache like any other result. Fails if the updates end
 *  early. `urlOf` returns the URL of a token's updates. */
export function enrichmentLink(urlOf: (token: string) => string): ApolloLink {
  return new ApolloLink((operation, forward) =>
    forward(operation).pipe(
      switchMap((answer) => {
        const token = enrichmentOf(answer)?.token;
        // Apollo Client merges incremental payloads itself; it would take a complete response for another payload.
        if (token === undefined || 'hasNext' in answer) return of(answer);
        return concat(of(answer), subscribeToUpdates(urlOf(token)).pipe(scan(withUpdate, answer)));
      }),
    ),
  );
}

/** The fields that are pending in a response. */
export function pendingFields(answer: unknown): readonly PendingField[] {
  return enrichmentOf(answer)?.pending ?? [];
}

/** The update that produced this response from the previous one. */
export function updateOf(answer: unknown): EnrichmentUpdate | undefined {
  const update = isObject(answer) && isObject(answer.extensions) ? answer.extensions[updateKey] : undefined;
  return update as EnrichmentUpdate | undefined;
}

const updateKey = 'enrichmentUpdate';

function enrichmentOf(answer: unknown): Enrichment | undefined {
  if (!isObject(answer) || !isObject(answer.extensions)) return undefined;
  const { tributary } = answer.extensions;
  return isObject(tributary) ? (tributary.enrichment as Enrichment | undefined) : undefined;
}

/** Returns a copy of the response with the update. Apollo Client freezes the responses that it receives. */
export function withUpdate(answer: ApolloLink.Result, update: EnrichmentUpdate): ApolloLink.Result {
  const { path, data, errors } = update;
  const allErrors = [...(answer.errors ?? []), ...(errors ?? [])];
  return {
    ...answer,
    data: withValueAt(answer.data, path, data) as NonNullable<ApolloLink.Result['data']>,
    ...(allErrors.length === 0 ? {} : { errors: allErrors }),
    extensions: { [updateKey]: update },
  };
}

function withValueAt(target: unknown, [step, ...rest]: Path, value: unknown): unknown {
  if (step === undefined) return value;
  if (Array.isArray(target)) {
    return target.map((item, index) => (index === step ? withValueAt(item, rest, value) : item));
  }
  return isObject(target) ? { ...target, [step]: withValueAt(target[step], rest, value) } : target;
}

/** Completes after the last update. Fails if there are no updates any more, for example because the token expired. */
function subscribeToUpdates(url: string): Observable<EnrichmentUpdate> {
  return new Stream((subscriber) => {
    const events = new EventSource(url);
    const fail = (): void => subscriber.error(new Error('The pending fields are not available any more.'));
    events.addEventListener('next', ({ data }) => {
      const update = JSON.parse(data) as EnrichmentUpdate | { readonly path?: undefined };
      // Without a path: the gateway had to evict the updates.
      if (update.path === undefined) return fail();
      subscriber.next(update);
      if (!update.hasNext) subscriber.complete();
    });
    events.addEventListener('complete', () => subscriber.complete());
    events.addEventListener('error', () => {
      // While it is not closed, `EventSource` reconnects by itself and resumes after the last event that it received.
      if (events.readyState === EventSource.CLOSED) fail();
    });
    return () => events.close();
  });
}
