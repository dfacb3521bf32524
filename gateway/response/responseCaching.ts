import type { CachingContribution } from '../execution/cachingContribution.ts';
import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';

/** Caching headers of a response; `undefined` for an absent one. */
export interface ResponseCaching {
  readonly cacheControl: string;
  readonly age: string | undefined;
  readonly vary: string | undefined;
}

const noStore: ResponseCaching = { cacheControl: 'no-store', age: undefined, vary: undefined };

/** How long a client, or a cache in front of the gateway, may cache a response: until the first of its contributions
 *  is stale. A response without contributions is not cached. */
export function responseCachingOf(contributions: readonly CachingContribution[]): ResponseCaching {
  if (contributions.length === 0) return noStore;
  let [freshForMs, ageMs] = [Number.POSITIVE_INFINITY, 0];
  let isPrivate = false;
  const headers = new Set<string>();
  for (const contribution of contributions) {
    if (contribution.kind === 'uncached') return noStore;
    freshForMs = Math.min(freshForMs, contribution.freshForMs);
    ageMs = Math.max(ageMs, contribution.ageMs);
    isPrivate ||= contribution.scope === 'PRIVATE';
    for (const header of contribution.headers) headers.add(header);
  }
  // Caches subtract `Age` from `max-age`. Both are whole seconds, rounded so that the response is refreshed sooner.
  const age = Math.floor(ageMs / 1_000);
  const freshFor = Math.max(0, Math.floor(freshForMs / 1_000));
  return {
    cacheControl: `${isPrivate ? 'private' : 'public'}, max-age=${freshFor === 0 ? 0 : age + freshFor}`,
    age: String(age),
    vary: headers.size === 0 ? undefined : [...headers].sort().join(', '),
  };
}

/** How long the client may cache a complete response without errors; `undefined` for not at all, as for an operation whose
 *  response depends on who may read it. */
export function clientCachingOf(
  { kind, introspection, access }: PreparedOperation,
  { cacheContributions, errors }: Execution,
): ResponseCaching | undefined {
  // Also for errors that the response leaves out, because the client did not select their fields.
  if (errors.length > 0 || kind !== 'query' || introspection !== undefined || access !== undefined)
    return undefined;
  let hasContributions = false;
  // Groups without fetches are holes.
  for (const ofGroup of cacheContributions) {
    for (const contribution of ofGroup ?? []) {
      if (contribution.kind === 'uncached') return undefined;
      hasContributions = true;
    }
  }
  return hasContributions ? responseCachingOf(cacheContributions.flat()) : undefined;
}
