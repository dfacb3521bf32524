import type { IncomingHttpHeaders } from 'node:http';

/** Headers by their names in lower case. Repeated headers are joined. */
export function toHeaderMap(headers: IncomingHttpHeaders): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return map;
}
