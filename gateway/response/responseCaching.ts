import type { CachingContribution } from '../execution/cachingContribution.ts';
import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';

/** Headers of the gateway's own answer; `undefined` for one that is not there. */
export interface ResponseCaching {
  readonly cacheControl: string;
  readonly age: string | undefined;
  readonly vary: string | undefined;
}

const noStore: ResponseCaching = { cacheControl: 'no-store', age: undefined, vary: undefined };

/** How long a client, or a cache before the gateway, may keep an answer: as long as the first of its parts is fresh.
 *  Without a part that may be kept, an answer may not be kept either. */
export function responseCachingOf(contributions: readonly CachingContribution[]): ResponseCaching {
  if (contributions.length === 0) return noStore;
  let [leftMs, ageMs] = [Number.POSITIVE_INFINITY, 0];
  let isPrivate = false;
  const headers = new Set<string>();
  for (const part of contributions) {
    if (part.kind === 'uncached') return noStore;
    leftMs = Math.min(leftMs, part.freshForMs);
    ageMs = Math.max(ageMs, part.ageMs);
    isPrivate ||= part.scope === 'PRIVATE';
    for (const header of part.headers) headers.add(header);
  }
  // A cache counts from the answer's beginning: `max-age` less `Age` is what is left. Both in whole seconds, the
  // fractions in favour of asking sooner.
  const age = Math.floor(ageMs / 1_000);
  const left = Math.max(0, Math.floor(leftMs / 1_000));
  return {
    cacheControl: `${isPrivate ? 'private' : 'public'}, max-age=${left === 0 ? 0 : age + left}`,
    age: String(age),
    vary: headers.size === 0 ? undefined : [...headers].sort().join(', '),
  };
}

/** How long the client may keep an answer that has all that was fetched, and that has no errors; `undefined` for not
 *  at all. */
export function clientCachingOf(
  { kind, introspection }: PreparedOperation,
  { cacheContributions, errors }: Execution,
): ResponseCaching | undefined {
  // Errors that are not told, since the client did not select what they are about, are not worth a second look.
  if (errors.length > 0 || kind !== 'query' || introspection !== undefined) return undefined;
  let hasParts = false;
  // Groups without fetches are holes.
  for (const ofGroup of cacheContributions) {
    for (const part of ofGroup ?? []) {
      if (part.kind === 'uncached') return undefined;
      hasParts = true;
    }
  }
  return hasParts ? responseCachingOf(cacheContributions.flat()) : undefined;
}
