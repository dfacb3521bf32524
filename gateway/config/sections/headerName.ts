import { z } from 'zod';
import { scalar } from '../scalars.ts';

const ofOneConnection = 'belongs to a single connection (RFC 9110, 7.6.1)';
const ofMessage = 'describes a message that the gateway writes itself';
const ofGateway = 'is written by the gateway itself';

/** Why these headers do not travel, in either direction. */
const messageHeaders: Readonly<Record<string, string>> = {
  connection: ofOneConnection,
  'http2-settings': ofOneConnection,
  'keep-alive': ofOneConnection,
  'proxy-authenticate': ofOneConnection,
  'proxy-authorization': ofOneConnection,
  'proxy-connection': ofOneConnection,
  te: ofOneConnection,
  trailer: ofOneConnection,
  'transfer-encoding': ofOneConnection,
  upgrade: ofOneConnection,
  accept: ofMessage,
  'accept-encoding': ofMessage,
  'content-encoding': ofMessage,
  'content-length': ofMessage,
  'content-type': ofMessage,
  expect: ofMessage,
  host: ofMessage,
};

const writtenInRequests: ReadonlySet<string> = new Set([
  'x-request-id',
  'traceparent',
  'tracestate',
  'tributary-deadline-ms',
]);

const writtenInResponses: ReadonlySet<string> = new Set([
  'age',
  'allow',
  'content-security-policy',
  'date',
  'expires',
  'pragma',
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'vary',
  'x-content-type-options',
  'x-request-id',
]);

const ofSubgraphResponse: ReadonlySet<string> = new Set([
  'accept-ranges',
  'alt-svc',
  'content-digest',
  'content-range',
  'etag',
  'last-modified',
]);

function reasonAgainst(name: string): string | undefined {
  if (Object.hasOwn(messageHeaders, name)) return messageHeaders[name];
  return name.startsWith('sec-websocket-') ? ofOneConnection : undefined;
}

/** Why no rule sends this header to a subgraph, as a predicate; `undefined` if a rule may. `name` in lower case. */
export function reasonNotToSend(name: string): string | undefined {
  return reasonAgainst(name) ?? (writtenInRequests.has(name) ? ofGateway : undefined);
}

/** Why this header of a subgraph's response is never sent to a client, as a predicate; `undefined` if it may be. `name`
 *  in lower case. */
export function reasonNotToRespond(name: string): string | undefined {
  if (name.startsWith('access-control-')) return 'is decided by security.cors';
  if (ofSubgraphResponse.has(name))
    return "is about the subgraph's response, and the client gets another one";
  return reasonAgainst(name) ?? (writtenInResponses.has(name) ? ofGateway : undefined);
}

/** The name of a header. The parsed value is in lower case. */
export const anyHeaderName = nameOf('a header name', () => true);

/** The name of a header in a header of CORS, or `*` for all of them. The parsed value is in lower case. */
export const corsHeaderName = nameOf('a header name, or * for all', () => true, '*');

/** The name of a client header that the gateway reads. The parsed value is in lower case. */
export const headerName = nameOf(
  'a header name, except headers of the connection and the body such as host and content-type',
  (name) => !Object.hasOwn(messageHeaders, name),
);

/** The name of a header that rules may send to subgraphs. The parsed value is in lower case. */
export const sentHeaderName = sentName();

/** The name of a client header that rules may send to subgraphs. The parsed value is in lower case. */
export const forwardedHeaderName = sentName(", or a rule such as { forwardMatching: '^x-' }");

/** `alternative`: what is possible instead of a name that is meant as a pattern. */
function sentName(alternative = '') {
  return z
    .custom<string>()
    .transform((input, { issues }): string => {
      const name = readHeaderName(input);
      const reason = name === undefined ? undefined : reasonNotToSend(name);
      if (name !== undefined && reason === undefined) return name;
      issues.push(
        name === undefined
          ? nameProblem(input, `a header name${isPattern(input) ? alternative : ''}`)
          : headerProblem(input, name, String(reason)),
      );
      return z.NEVER;
    })
    .meta({ title: 'header name', type: 'string' });
}

/** The issue of a value that is not the name of a header. */
export function nameProblem(input: unknown, expected: string) {
  return { code: 'custom' as const, input, message: expected, params: { problem: patternProblem(input) } };
}

function isPattern(input: unknown): boolean {
  return typeof input === 'string' && input.includes('*');
}

/** The value is not quoted: it may be a line with a secret. */
function patternProblem(input: unknown): string | undefined {
  return isPattern(input) ? 'has `*`, which is no pattern here' : undefined;
}

/** The issue of a header that never travels. */
export function headerProblem(input: unknown, name: string, reason: string) {
  const params = { problem: `is ${JSON.stringify(name)}, which ${reason}` };
  return { code: 'custom' as const, input, message: 'another header', params };
}

/** A header name in lower case; `undefined` for anything else. Not with `*`, which RFC 9110 allows: it is always meant as a
 *  pattern. */
export function readHeaderName(input: unknown): string | undefined {
  return typeof input === 'string' && /^[!#$%&'+.^_`|~0-9A-Za-z-]+$/.test(input)
    ? input.toLowerCase()
    : undefined;
}

function nameOf(expected: string, isValid: (name: string) => boolean, wildcard?: string) {
  return scalar<string, string>({
    title: 'header name',
    expected,
    problem: patternProblem,
    read: (input) => {
      const name = input === wildcard ? wildcard : readHeaderName(input);
      return name !== undefined && isValid(name) ? name : undefined;
    },
    editorSchemas: [{ type: 'string' }],
  });
}
