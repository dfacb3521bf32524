import type { ServerResponse } from 'node:http';
import type { ResponseContent } from '../../response/executionOutcome.ts';
import type { SubscriptionPayload } from '../../response/subscriptionEvents.ts';
import { hasNext, type PayloadEncoding } from '../streams/payloadEncoding.ts';
import type { Compression } from './compression.ts';
import { type ResponseHeaders, setStreamHeaders, writeStreamBody } from './writeResponse.ts';

/** Server-sent events of graphql-sse's "distinct connections mode": an event `next` for every execution result, and
 *  `complete` at the end. */
const eventStream = {
  contentType: 'text/event-stream; charset=utf-8',
  headers: {
    'cache-control': 'no-cache',
    // Proxies that compress or buffer responses would delay events.
    'content-encoding': 'none',
    'x-accel-buffering': 'no',
  },
  opening: ':\n\n',
  heartbeat: ':\n\n',
} as const;

// Browsers ignore an event without a `data` line. Without a space after the colon, which urql would parse as JSON.
const complete = 'event: complete\ndata:\n\n';

function next(payload: string): string {
  return `event: next\ndata: ${payload}\n\n`;
}

/** Encodes the payloads of an operation with `@defer`. */
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

/** Encodes the events of a subscription. Cursors are event ids: a browser that reconnects sends the last one. */
export const subscriptionEventEncoding = {
  ...eventStream,
  sendsOpeningImmediately: true,
  encode: ({ text, cursor }) => ({
    text: cursor === undefined ? next(text) : `id: ${cursor}\n${next(text)}`,
    isLast: false,
  }),
  end: () => complete,
  fail: (error) => next(JSON.stringify({ errors: [error] })) + complete,
  // Without `complete`, clients subscribe again.
  goAway: '',
} satisfies PayloadEncoding<SubscriptionPayload>;

/** Writes a complete response as one event and the end of the stream. `content` has no line breaks. `readTimeoutMs`:
 *  see `closeIfStalled`. */
export function writeSingleEvent(
  response: ServerResponse,
  headers: ResponseHeaders,
  content: ResponseContent,
  readTimeoutMs = 0,
  compression?: Compression,
): Promise<void> | undefined {
  setStreamHeaders(headers, eventStream);
  const parts = typeof content === 'string' || Buffer.isBuffer(content) ? [content] : content;
  const body = [`${eventStream.opening}event: next\ndata: `, ...parts, `\n\n${complete}`];
  return writeStreamBody(response, headers, body, readTimeoutMs, compression);
}
