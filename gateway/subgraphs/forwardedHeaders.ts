import { GatewayError } from '../errors.ts';
import type { ForwardedHeaders } from './subgraphClient.ts';

// Never sent on, listed or not. They belong to the client's own connection (RFC 9110, 7.6.1), describe the
// client's body and what it accepts instead of the gateway's, or are written by the gateway itself. Names
// that a client lists in `Connection` are not dropped: a client must not be able to take away a header
// that a proxy in front of the gateway added.
const neverForwarded: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'accept',
  'accept-encoding',
  'x-request-id',
  'traceparent',
  'tributary-deadline-ms',
]);

const headerNamePattern = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const forbiddenValueCharacter = /[^\t\x20-\x7e\x80-\xff]/;

/** Whether a header may stand in an allow-list. `name` in lower case. */
export function isForwardableHeader(name: string): boolean {
  return headerNamePattern.test(name) && !neverForwarded.has(name) && !name.startsWith('sec-websocket-');
}

const namesOfAllowList = new WeakMap<readonly string[], readonly string[]>();

/** Lower case, sorted and each once: two spellings of one list give the same key. */
function forwardableNames(allowList: readonly string[]): readonly string[] {
  let names = namesOfAllowList.get(allowList);
  if (names === undefined) {
    const lowerCased = allowList.map((name) => name.toLowerCase());
    names = [...new Set(lowerCased)].filter(isForwardableHeader).sort();
    namesOfAllowList.set(allowList, names);
  }
  return names;
}

/** The client's headers that travel to a subgraph. Names in `allowList` that may never be forwarded are
 *  passed over. `clientHeaders` has lower case names; the list must not be changed afterwards.
 *  @throws GatewayError `BAD_REQUEST` for a value that cannot be a header (a line break, say): leaving the
 *  header out instead could turn one client into another. */
export function selectForwardedHeaders(
  allowList: readonly string[],
  clientHeaders: ReadonlyMap<string, string>,
): ForwardedHeaders {
  const pairs: string[] = [];
  // Lengths make the key injective whatever the values hold.
  let key = '';
  for (const name of forwardableNames(allowList)) {
    const value = clientHeaders.get(name);
    if (value === undefined) continue;
    if (forbiddenValueCharacter.test(value)) {
      throw new GatewayError('BAD_REQUEST', `The value of the header "${name}" has a forbidden character.`);
    }
    pairs.push(name, value);
    key += `${name.length}:${name}${value.length}:${value}`;
  }
  return { key, pairs };
}
