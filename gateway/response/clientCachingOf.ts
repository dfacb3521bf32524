import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import { type ResponseCaching, responseCachingOf } from './responseCaching.ts';

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
