import type { CachingContribution } from '../execution/cachingContribution.ts';
import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';

/** Caching headers of a response; `undefined` for an absent one. */
export interface ResponseCaching {
  readonly cacheControl: string;
  readonly age: string | undefined;
  readonly vary: string | undefined;
}

/** For a response that is meant for one client: caches that clients share must not store it. */
export function asPrivate(caching: ResponseCaching): ResponseCaching {
  return { ...caching, cacheControl: caching.cacheControl.replace(/^public\b/, 'private') };
}

/** How long a client, or a cache in front of the gateway, may cache a response: until the first of its contributions
 *  is stale. `undefined` for not at all: something is not cached, or nothing contributes. `waitedMs`: the time since the first
 *  contribution. */
export function responseCachingOf(
  byGroup: readonly (readonly CachingContribution[])[],
  waitedMs: number,
): ResponseCaching | undefined {
  let [freshForMs, ageMs] = [Number.POSITIVE_INFINITY, 0];
  let [isEmpty, isPrivate] = [true, false];
  const headers: string[] = [];
  // Groups without fetches are holes.
  for (const ofGroup of byGroup) {
    for (const contribution of ofGroup ?? []) {
      if (contribution.kind === 'uncached') return undefined;
      freshForMs = Math.min(freshForMs, contribution.freshForMs);
      ageMs = Math.max(ageMs, contribution.ageMs);
      isPrivate ||= contribution.scope === 'PRIVATE';
      headers.push(...contribution.headers);
      isEmpty = false;
    }
  }
  if (isEmpty) return undefined;
  // Caches subtract `Age` from `max-age`. Both are whole seconds, rounded so that the response is refreshed sooner.
  // A part of a second would make each `max-age` a second shorter than its rule.
  const waited = Math.floor(waitedMs / 1_000);
  const age = Math.floor(ageMs / 1_000) + waited;
  const freshFor = Math.max(0, Math.floor(freshForMs / 1_000) - waited);
  return {
    cacheControl: `${isPrivate ? 'private' : 'public'}, max-age=${freshFor === 0 ? 0 : age + freshFor}`,
    age: String(age),
    vary: headers.length === 0 ? undefined : [...new Set(headers)].sort().join(', '),
  };
}

/** How long the client may cache a complete response without errors; `undefined` for not at all, as for an operation whose
 *  response depends on who may read it. */
export function clientCachingOf(
  { kind, introspection, access }: PreparedOperation,
  { cachingContributions: { byGroup, ageMs }, errors }: Execution,
): ResponseCaching | undefined {
  // Also for errors that the response omits, because the client did not select their fields.
  if (errors.length > 0 || kind !== 'query' || introspection !== undefined || access !== undefined)
    return undefined;
  return responseCachingOf(byGroup, ageMs);
}
