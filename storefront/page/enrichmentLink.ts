import { ApolloLink } from '@apollo/client';
import { concat, type Observable, of, Observable as Stream, scan, switchMap } from 'rxjs';
import { isObject } from './isObject.ts';

type Path = readonly (string | number)[];

/** What has come for a place that an answer had left out. */
export interface EnrichmentUpdate {
  readonly path: Path;
  readonly data: unknown;
  readonly errors: NonNullable<ApolloLink.Result['errors']> | null;
  readonly hasNext: boolean;
}

interface Enrichment {
  /** Absent where the gateway had no room to keep anything. */
  readonly token?: string;
  readonly pending: readonly { readonly path: Path }[];
}

/** Adds to an answer what the gateway left out of it because it was late: the answer is passed on at once, and again,
 *  as a whole, with each part that has come, so that Apollo Client writes that into its cache like any other result. An
 *  answer that ends without some of them stays as it is. `urlOf`: where what belongs to a token is picked up. */
export function enrichmentLink(urlOf: (token: string) => string): ApolloLink {
  return new ApolloLink((operation, forward) =>
    forward(operation).pipe(
      switchMap((answer) => {
        const token = enrichmentOf(answer)?.token;
        // Parts of an incremental answer belong to Apollo Client alone, which would take the whole for another part.
        if (token === undefined || 'hasNext' in answer) return of(answer);
        return concat(of(answer), subscribeToUpdates(urlOf(token)).pipe(scan(withUpdate, answer)));
      }),
    ),
  );
}

/** Places that an answer left out, and that are to come. */
export function pendingPaths(answer: unknown): readonly Path[] {
  return enrichmentOf(answer)?.pending.map(({ path }) => path) ?? [];
}

/** The update that made this answer of the one before it. */
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

/** The answer with what has come, a copy: Apollo Client freezes what it was given. */
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

/** Ends after the last update, or when there are none (any more): the token has expired, say. */
function subscribeToUpdates(url: string): Observable<EnrichmentUpdate> {
  return new Stream((subscriber) => {
    const events = new EventSource(url);
    events.addEventListener('next', ({ data }) => {
      const update = JSON.parse(data) as EnrichmentUpdate;
      subscriber.next(update);
      if (!update.hasNext) subscriber.complete();
    });
    events.addEventListener('complete', () => subscriber.complete());
    events.addEventListener('error', () => {
      // Else the browser comes back by itself, after the last update that it had.
      if (events.readyState === EventSource.CLOSED) subscriber.complete();
    });
    return () => events.close();
  });
}
