import { type IncomingHttpHeaders, maxHeaderSize } from 'node:http';
import { isHeaderValue } from '../../config/scalars.ts';
import type { HandshakeCredentials } from './checkOrigin.ts';

/** Headers of the connection or of its HTTP body, which do not apply to an operation in a WebSocket message. */
const connectionHeaderPattern =
  /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host|sec-.*|content-.*|accept-encoding|x-request-id)$/;

/** The handshake's headers that apply to every operation on the socket. */
export function handshakeHeaders(
  received: IncomingHttpHeaders,
  credentials: HandshakeCredentials,
): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const name in received) {
    if (connectionHeaderPattern.test(name) || name === 'accept') continue;
    if (credentials === 'dropped' && (name === 'cookie' || name === 'authorization')) continue;
    const value = received[name];
    if (value !== undefined) headers.set(name, typeof value === 'string' ? value : value.join(', '));
  }
  return headers;
}

export const parametersTooLarge = 'Connection parameters are too large';

/** Headers from connection parameters: `accept` and the `allowed` names (in lower case) with text values. Entries of a
 *  `headers` object among the parameters take precedence. A text says why there are none: they are larger than Node allows
 *  headers to be, or one has characters that no header may have. */
export function parameterHeaders(
  parameters: Readonly<Record<string, unknown>>,
  allowed: ReadonlySet<string>,
): ReadonlyMap<string, string> | string {
  const headers = new Map<string, string>();
  for (const [name, value] of headerEntries(parameters, allowed))
    if (typeof value === 'string') headers.set(name, value);
  let size = 0;
  for (const [name, value] of headers) {
    if (!isHeaderValue(value))
      return `The connection parameter "${name}" has characters that no header may have`;
    size += name.length + value.length;
  }
  return size > maxHeaderSize ? parametersTooLarge : headers;
}

/** Why a connection parameter that counts as a header is none: its value is neither a text nor null, which counts as no
 *  value. `parameterHeaders` ignores it, and would make a client that sends a token an anonymous one. */
export function findParameterProblem(
  parameters: Readonly<Record<string, unknown>>,
  allowed: ReadonlySet<string>,
): string | undefined {
  for (const [name, value] of headerEntries(parameters, allowed))
    if (typeof value !== 'string' && value !== null)
      return `The connection parameter "${name}" is not a text`;
  return undefined;
}

/** The parameters that count as headers, with names in lower case; those of `headers` last. */
function* headerEntries(
  parameters: Readonly<Record<string, unknown>>,
  allowed: ReadonlySet<string>,
): Generator<readonly [name: string, value: unknown]> {
  for (const from of [parameters, parameters.headers]) {
    if (typeof from !== 'object' || from === null) continue;
    for (const [key, value] of Object.entries(from)) {
      const name = key.toLowerCase();
      if (name === 'accept' || (allowed.has(name) && !connectionHeaderPattern.test(name)))
        yield [name, value];
    }
  }
}

/** The connection parameters with `allowed` names, compared exactly, for `connection_init` messages to subgraphs.
 *  `undefined` when they are larger than Node allows headers to be. */
export function pickForwardedParameters(
  parameters: Readonly<Record<string, unknown>>,
  allowed: ReadonlySet<string>,
): Readonly<Record<string, unknown>> | undefined {
  const forwarded = Object.fromEntries(Object.entries(parameters).filter(([name]) => allowed.has(name)));
  return JSON.stringify(forwarded).length > maxHeaderSize ? undefined : forwarded;
}

/** The headers that a POST request with the same operation would have. Connection parameters override the handshake. */
export function operationHeaders(
  handshake: ReadonlyMap<string, string>,
  parameters: ReadonlyMap<string, string>,
  requestId: string,
): ReadonlyMap<string, string> {
  const headers = new Map(handshake);
  for (const [name, value] of parameters) headers.set(name, value);
  headers.set('accept', 'application/json');
  headers.set('content-type', 'application/json');
  headers.set('x-request-id', requestId);
  return headers;
}
