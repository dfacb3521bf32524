import type { ResponseCaching } from '../../response/responseCaching.ts';
import type { ResponseHeaders } from './writeResponse.ts';

/** Says in an answer's headers how long it may be kept, and for which requests. `isDecided`: a plugin has said how
 *  long, and that stands. `vary` is what was said about requests before, by whomever. */
export function addCachingHeaders(
  headers: ResponseHeaders,
  caching: ResponseCaching,
  isDecided: boolean,
  vary: readonly (string | undefined)[],
): void {
  // JSON, another JSON or multipart: `accept` decides.
  headers.vary = joinVary([...vary, 'accept', caching.vary]);
  if (isDecided) return;
  headers['cache-control'] = caching.cacheControl;
  if (caching.age !== undefined) headers.age = caching.age;
}

/** Every name once, in lower case. */
function joinVary(values: readonly (string | undefined)[]): string {
  const names = new Set<string>();
  for (const value of values) {
    for (const name of value?.split(',') ?? []) if (name.trim() !== '') names.add(name.trim().toLowerCase());
  }
  return names.has('*') ? '*' : [...names].join(', ');
}
