import type { ServerResponse } from 'node:http';
import type { ResponseContent, SubscriptionPayload } from '../../response/executionOutcome.ts';
import { hasNext, type PayloadEncoding } from '../streams/payloadEncoding.ts';
import { writeStreamHead } from './writePayloads.ts';
import { closeIfStalled, type ResponseHeaders } from './writeResponse.ts';

/** Server-sent events as in graphql-sse's "distinct connections mode": an event `next` for every execution result, and
 *  `complete` at the end. */
const eventStream = {
  contentType: 'text/event-stream; charset=utf-8',
  headers: {
    'cache-control': 'no-cache',
    // Proxies that compress or collect would hold events back.
    'content-encoding': 'none',
    'x-accel-buffering': 'no',
  },
  opening: ':\n\n',
  heartbeat: ':\n\n',
} as const;

// With a `data` line, without which browsers drop the event, and without a space in it, which urql takes for JSON.
const complete = 'event: complete\ndata:\n\n';

function next(payload: string): string {
  return `event: next\ndata: ${payload}\n\n`;
}

/** Events for the payloads of an operation with `@defer`. */
export const incrementalEventEncoding: PayloadEncoding<string> = {
  ...eventStream,
  sendsOpeningImmediately: false,
  encode(payload) {
    const isLast = !hasNext(payload);
    return { text: isLast ? next(payload) + complete : next(payload), isLast };
  },
  end: () => next(JSON.stringify({ hasNext: false })) + complete,
  fail: (error) => next(JSON.stringify({ errors: [error], hasNext: false })) + complete,
};

/** Events of a subscription, with their cursors as ids: a browser says the last one when it comes back. */
export const subscriptionEventEncoding: PayloadEncoding<SubscriptionPayload> = {
  ...eventStream,
  sendsOpeningImmediately: true,
  encode: ({ text, cursor }) => ({
    text: cursor === undefined ? next(text) : `id: ${cursor}\n${next(text)}`,
    isLast: false,
  }),
  end: () => complete,
  fail: (error) => next(JSON.stringify({ errors: [error] })) + complete,
  // An end without `complete` makes clients, browsers among them, subscribe again.
  goAway: '',
};

/** Writes an answer in one piece as one event and the end. Its text has no line ends. A client that takes
 *  none of it for `readTimeout` milliseconds loses its connection; 0 lets it wait. */
export function writeSingleEvent(
  response: ServerResponse,
  headers: ResponseHeaders,
  content: ResponseContent,
  readTimeout = 0,
): void {
  delete headers['content-length'];
  writeStreamHead(response, eventStream, headers);
  response.cork();
  response.write(`${eventStream.opening}event: next\ndata: `);
  for (const piece of typeof content === 'string' || Buffer.isBuffer(content) ? [content] : content) {
    response.write(piece);
  }
  response.end(`\n\n${complete}`);
  response.uncork();
  closeIfStalled(response, readTimeout);
}
