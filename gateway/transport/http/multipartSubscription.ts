import type { ServerResponse } from 'node:http';
import type { SubscriptionPayload } from '../../response/subscriptionEvents.ts';
import type { PayloadEncoding } from '../streams/payloadEncoding.ts';
import type { Compression } from './compression.ts';
import { type ResponseHeaders, setStreamHeaders, writeStreamBody } from './writeResponse.ts';

/** Encodes the events of a subscription in Apollo's multipart protocol. Only for clients that accept it by name: urql takes
 *  the first heartbeat for the end. */
export const subscriptionPartEncoding: PayloadEncoding<SubscriptionPayload> = {
  contentType: 'multipart/mixed; boundary="graphql"; subscriptionSpec=1.0',
  // With an empty part, which tells the client at once that it is subscribed.
  opening: `\r\n--graphql${part('{}')}`,
  sendsOpeningImmediately: true,
  heartbeat: part('{}'),
  encode: ({ text }) => ({ text: part(`{"payload":${text}}`), isLast: false }),
  end: () => '--\r\n',
  fail: (error) => `${part(JSON.stringify({ payload: null, errors: [error] }))}--\r\n`,
};

/** A part with the delimiter after it, whose line continues with the next part or with `--`. */
function part(content: string): string {
  return `\r\ncontent-type: application/json\r\n\r\n${content}\r\n--graphql`;
}

/** Writes a complete response for a client that accepts only this protocol. */
export function writeSinglePayload(
  response: ServerResponse,
  headers: ResponseHeaders,
  responseText: string,
  readTimeoutMs: number,
  compression: Compression | undefined,
): Promise<void> | undefined {
  const { encode, end } = subscriptionPartEncoding;
  const body = `\r\n--graphql${encode({ text: responseText }).text}${end()}`;
  setStreamHeaders(headers, subscriptionPartEncoding);
  return writeStreamBody(response, headers, [body], readTimeoutMs, compression);
}
