import { GatewayError } from '../errors.ts';

/** The client's headers that are sent to one subgraph, selected by its allow-list. */
export interface ForwardedHeaders {
  /** Equal for two requests exactly if all their forwarded headers are equal. */
  readonly key: string;
  /** Name, value, name, value … with lower case names. */
  readonly pairs: readonly string[];
}

// Never forwarded, whether they are in an allow-list or not: they belong to the client's own connection (RFC 9110, 7.6.1),
// describe the client's body and what it accepts, or are written by the gateway itself. Names that a client lists in
// `Connection` are not dropped: a client must not be able to remove a header that a proxy in front of the gateway added.
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
  'tracestate',
  'tributary-deadline-ms',
]);

const headerNamePattern = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const forbiddenValueCharacter = /[^\t\x20-\x7e\x80-\xff]/;

/** Whether a header may be in an allow-list. `name` in lower case. */
export function isForwardableHeader(name: string): boolean {
  return headerNamePattern.test(name) && !neverForwarded.has(name) && !name.startsWith('sec-websocket-');
}

const namesOfAllowList = new WeakMap<readonly string[], readonly string[]>();

/** In lower case, sorted and without duplicates, so that two spellings of one list give equal keys. */
function forwardableNames(allowList: readonly string[]): readonly string[] {
  let names = namesOfAllowList.get(allowList);
  if (names === undefined) {
    const lowerCased = allowList.map((name) => name.toLowerCase());
    names = [...new Set(lowerCased)].filter(isForwardableHeader).sort();
    namesOfAllowList.set(allowList, names);
  }
  return names;
}

/** Selects the client's headers that are sent to a subgraph. Names in `allowList` that may never be forwarded are ignored.
 *  `allowList` must not be changed afterwards; `clientHeaders` has lower case names.
 *  @throws {GatewayError} `BAD_REQUEST` for a value that no header can have, such as one with a line break: without the
 *  header, the subgraph could take the client for another one. */
export function selectForwardedHeaders(
  allowList: readonly string[],
  clientHeaders: ReadonlyMap<string, string>,
): ForwardedHeaders {
  const pairs: string[] = [];
  // With its length before each part, the key is unambiguous whatever the values contain.
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
