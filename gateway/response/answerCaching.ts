import { type ResponseCaching, responseCaching } from '../cache/rules/responseCaching.ts';
import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';

/** How long the client may keep an answer that has all that was fetched, and that has no errors; `undefined` for not
 *  at all. */
export function answerCaching(
  { kind, introspection }: PreparedOperation,
  { parts, errors }: Execution,
): ResponseCaching | undefined {
  // Errors that are not told, since the client did not select what they are about, are not worth a second look.
  if (errors.length > 0 || kind !== 'query' || introspection !== undefined) return undefined;
  let hasParts = false;
  // Groups without fetches are holes.
  for (const ofGroup of parts) {
    for (const part of ofGroup ?? []) {
      if (part.kind === 'uncached') return undefined;
      hasParts = true;
    }
  }
  return hasParts ? responseCaching(parts.flat()) : undefined;
}
