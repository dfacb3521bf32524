import type { IncomingMessage } from 'node:http';

const tokenHeader = 'x-graphql-event-stream-token';

/** Other services have tokens in the address, too: ours look like this. */
const tokenPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.\d+)?$/;

/** The token of the event stream that a request is about: in a header, or for browsers' `EventSource` in the address;
 *  `undefined` for a request that is about none. */
export function readStreamToken({ headers }: IncomingMessage, search: string): string | undefined {
  const header = headers[tokenHeader];
  if (header !== undefined) return String(header);
  if (!search.includes('token=')) return undefined;
  const parameter = new URLSearchParams(search).get('token') ?? '';
  return tokenPattern.test(parameter) ? parameter : undefined;
}
