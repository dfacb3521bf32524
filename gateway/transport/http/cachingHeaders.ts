import type { ResponseCaching } from '../../response/responseCaching.ts';
import type { ResponseHeaders } from './writeResponse.ts';

/** Adds `cache-control`, `age` and `vary` to the headers of a response. `hasCacheControl`: a plugin has set
 *  `cache-control`, which then stays. `vary`: values of the header from other parts of the gateway. */
export function addCachingHeaders(
  headers: ResponseHeaders,
  caching: ResponseCaching,
  hasCacheControl: boolean,
  vary: readonly (string | undefined)[],
): void {
  // `accept` decides the media type.
  headers.vary = joinVary([...vary, 'accept', caching.vary]);
  if (hasCacheControl) return;
  headers['cache-control'] = caching.cacheControl;
  if (caching.age !== undefined) headers.age = caching.age;
}

/** Lists every name once, in lower case. */
function joinVary(values: readonly (string | undefined)[]): string {
  const names = new Set<string>();
  for (const value of values) {
    for (const name of value?.split(',') ?? []) if (name.trim() !== '') names.add(name.trim().toLowerCase());
  }
  return names.has('*') ? '*' : [...names].join(', ');
}
