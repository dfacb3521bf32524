import type { ServerResponse } from 'node:http';
import type { SubscriptionPayload } from '../../response/executionOutcome.ts';
import type { PayloadEncoding } from '../streams/payloadEncoding.ts';
import { writeStreamHead } from './writePayloads.ts';
import type { ResponseHeaders } from './writeResponse.ts';

/** Events of a subscription in Apollo's multipart protocol. Only for clients that name it: urql would take the first
 *  heartbeat for the end. */
export const subscriptionPartEncoding: PayloadEncoding<SubscriptionPayload> = {
  contentType: 'multipart/mixed; boundary="graphql"; subscriptionSpec=1.0',
  // Tells at once that the subscription is there: clients take a part when they see the delimiter after it.
  opening: `\r\n--graphql${part('{}')}`,
  sendsOpeningImmediately: true,
  heartbeat: part('{}'),
  encode: ({ text }) => ({ text: part(`{"payload":${text}}`), isLast: false }),
  end: () => '--\r\n',
  fail: (error) => `${part(JSON.stringify({ payload: null, errors: [error] }))}--\r\n`,
};

/** A part up to the delimiter after it, whose line goes on with the next part or with `--`. */
function part(content: string): string {
  return `\r\ncontent-type: application/json\r\n\r\n${content}\r\n--graphql`;
}

/** Writes an answer in one piece for a client that takes nothing but this protocol. */
export function writeSinglePayload(response: ServerResponse, headers: ResponseHeaders, answer: string): void {
  delete headers['content-length'];
  writeStreamHead(response, subscriptionPartEncoding, headers);
  response.end(
    `\r\n--graphql${subscriptionPartEncoding.encode({ text: answer }).text}${subscriptionPartEncoding.end()}`,
  );
}
