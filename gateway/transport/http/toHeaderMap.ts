import type { IncomingHttpHeaders } from 'node:http';

/** Headers by their names in lower case. Repeated headers are joined. */
export function toHeaderMap(headers: IncomingHttpHeaders): Map<string, string> {
  const map = new Map<string, string>();
  // Without an array of all entries for each request.
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') map.set(name, value);
    else if (value !== undefined) map.set(name, value.join(', '));
  }
  return map;
}
