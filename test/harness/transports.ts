import { once } from 'node:events';
import { WebSocket } from 'ws';
import { exchange, exchangeJson, RawConnection, type RawResponse } from './rawHttp.ts';

export type OperationBody = Record<string, unknown> | readonly unknown[];

/** Sends an operation over one transport. Resolves to the code of the first error, or to the close code. */
type SendOperation = (url: string, body: OperationBody) => Promise<unknown>;

function errorCodeOf(text: string): unknown {
  const { errors } = JSON.parse(text) as { errors?: readonly { extensions?: { code?: unknown } }[] };
  return errors?.[0]?.extensions?.code;
}

const sendByPost: SendOperation = async (url, body) =>
  errorCodeOf((await exchangeJson(url, body, { accept: 'application/graphql-response+json' })).body);

function queryString(body: OperationBody): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(body)) {
    parameters.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return `/graphql?${parameters}`;
}

const sendByGet: SendOperation = async (url, body) =>
  errorCodeOf(
    (
      await exchange(url, {
        method: 'GET',
        path: queryString(body),
        headers: { accept: 'application/graphql-response+json', 'apollo-require-preflight': 'yes' },
      })
    ).body,
  );

function eventErrorCode(stream: string): unknown {
  const [, payload] = /^:\n\nevent: next\ndata: (.*)\n\nevent: complete\ndata:\n\n$/.exec(stream) ?? [];
  return errorCodeOf(payload ?? stream);
}

const sendBySse: SendOperation = async (url, body) =>
  eventErrorCode((await exchangeJson(url, body, { accept: 'text/event-stream' })).body);

const sendBySseGet: SendOperation = async (url, body) =>
  eventErrorCode(
    (
      await exchange(url, {
        method: 'GET',
        path: queryString(body),
        headers: { accept: 'text/event-stream', 'apollo-require-preflight': 'yes' },
      })
    ).body,
  );

/** Apollo Client's `accept` for a subscription. */
const apolloAccept =
  'multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9';

function multipartErrorCode({ headers, body }: RawResponse): unknown {
  if (headers.get('content-type')?.startsWith('multipart/mixed') !== true) return errorCodeOf(body);
  const [, part = '{}'] = /\r\n\r\n(\{.+\})\r\n--graphql--/.exec(body) ?? [];
  const { payload, errors } = JSON.parse(part);
  return errorCodeOf(JSON.stringify({ errors: errors ?? payload?.errors }));
}

const createMultipartSender =
  (accept: string): SendOperation =>
  async (url, body) =>
    multipartErrorCode(await exchangeJson(url, body, { accept }));

const sendByMultipart = createMultipartSender(apolloAccept);

const sendByWebSocket: SendOperation = async (url, body) => {
  const client = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
  try {
    await once(client, 'open');
    client.send('{"type":"connection_init"}');
    await once(client, 'message');
    // The protocol requires a `query` even with only a hash.
    const payload = 'length' in body ? body : { query: '', ...body };
    client.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
    const [received] = await Promise.race([once(client, 'message'), once(client, 'close')]);
    if (typeof received === 'number') return received;
    const message = JSON.parse(String(received)) as { type: string; payload: unknown };
    return message.type === 'error' ? errorCodeOf(JSON.stringify({ errors: message.payload })) : message;
  } finally {
    client.terminate();
  }
};

const sendBySharedStream: SendOperation = async (url, body) => {
  const { body: token } = await exchange(url, { method: 'PUT' });
  const { extensions } = body as { extensions?: object };
  const own = { 'x-graphql-event-stream-token': token };
  const { status, body: text } = await exchangeJson(
    url,
    'length' in body ? body : { ...body, extensions: { ...extensions, operationId: '1' } },
    own,
  );
  if (status !== 202) return errorCodeOf(text);
  await using stream = await RawConnection.open(url);
  stream.send({ method: 'GET', headers: { ...own, accept: 'text/event-stream' } });
  await stream.readHead();
  const [, payload] = /^:\n\nevent: next\ndata: (.*)\n\n/.exec((await stream.readChunk()) ?? '') ?? [];
  return errorCodeOf(JSON.stringify(JSON.parse(payload ?? '{}').payload));
};

/** The transports that can send any request body. */
export const bodyTransports = {
  post: sendByPost,
  events: sendBySse,
  parts: sendByMultipart,
  socket: sendByWebSocket,
  sharedStream: sendBySharedStream,
};

/** All transports. */
export const transports: readonly [string, SendOperation][] = [
  ['POST', sendByPost],
  ['GET', sendByGet],
  ['server-sent events by POST', sendBySse],
  ['server-sent events by GET', sendBySseGet],
  ["Apollo's multipart protocol", sendByMultipart],
  [
    "Apollo's multipart protocol and nothing else",
    createMultipartSender('multipart/mixed;subscriptionSpec=1.0'),
  ],
  ['WebSocket', sendByWebSocket],
  ['an event stream of several operations', sendBySharedStream],
];
