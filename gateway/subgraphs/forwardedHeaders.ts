import { isHeaderValue } from '../config/scalars.ts';
import { reasonNotToSend } from '../config/sections/headerName.ts';
import { GatewayError } from '../errors.ts';

/** The headers that one subgraph gets because of its header rules: the client's, those from its token, and constants. */
export interface ForwardedHeaders {
  /** Equal for two requests exactly if all these headers are equal. */
  readonly key: string;
  /** Name, value, name, value … with lower case names, sorted by name. */
  readonly pairs: readonly string[];
}

export const noForwardedHeaders: ForwardedHeaders = { key: '', pairs: [] };

const headerNamePattern = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** Whether a rule may send this header to a subgraph. `name` in lower case. */
export function isForwardableHeader(name: string): boolean {
  return headerNamePattern.test(name) && reasonNotToSend(name) === undefined;
}

/** Adds a header. Names must be added in their order, and each at most once.
 *  @throws {GatewayError} `BAD_REQUEST` for a value that no header can have, such as one with a line break: without the
 *  header, the subgraph could take the client for another one. */
export function addForwardedHeader(
  headers: { key: string; pairs: string[] },
  name: string,
  value: string,
): void {
  if (!isHeaderValue(value))
    throw new GatewayError('BAD_REQUEST', `The value of the header "${name}" has a forbidden character.`);
  headers.pairs.push(name, value);
  // With its length before each part, the key is unambiguous for any values.
  headers.key += `${name.length}:${name}${value.length}:${value}`;
}

/** `pairs`: name, value, name, value … */
export function pairsToObject(pairs: readonly string[]): Record<string, string> {
  const object: Record<string, string> = Object.create(null);
  for (let i = 0; i + 1 < pairs.length; i += 2) object[pairs[i] as string] = pairs[i + 1] as string;
  return object;
}
