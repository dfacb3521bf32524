import type { IncomingHttpHeaders } from 'node:http';
import { isHeaderValue } from '../config/scalars.ts';

/** The headers of a subgraph's response that the client gets: name, value, name, value …; `undefined` if there are none.
 *  Every `set-cookie` is a pair of its own; other lines of one name are joined. Values that no header can have are omitted,
 *  and so are headers that the subgraph declares as those of its connection. */
export function pickResponseHeaders(
  headers: IncomingHttpHeaders,
  names: readonly string[],
): readonly string[] | undefined {
  const pairs: string[] = [];
  const ofConnection = listOf(headers.connection);
  for (const name of names) {
    const value = headers[name];
    if (value === undefined || ofConnection.includes(name)) continue;
    const lines = Array.isArray(value) ? value : [value];
    const values = name === 'set-cookie' ? lines : [lines.join(', ')];
    for (const text of values) if (isHeaderValue(text)) pairs.push(name, text);
  }
  return pairs.length === 0 ? undefined : pairs;
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  const text = typeof value === 'string' ? value : value.join(',');
  return text.split(',').map((element) => element.trim().toLowerCase());
}
