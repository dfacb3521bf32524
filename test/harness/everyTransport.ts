import { once } from 'node:events';
import { WebSocket } from 'ws';
import { exchange, type RawAnswer, RawConnection } from './frames.ts';

export type Body = Record<string, unknown> | readonly unknown[];

/** Asks by one transport, and tells the code of the first error, or how the connection ended. */
export type Ask = (url: string, body: Body) => Promise<unknown>;

function codeOf(text: string): unknown {
  const { errors } = JSON.parse(text) as { errors?: readonly { extensions?: { code?: unknown } }[] };
  return errors?.[0]?.extensions?.code;
}

const post: Ask = async (url, body) =>
  codeOf(
    (
      await exchange(url, {
        headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
        body: JSON.stringify(body),
      })
    ).body,
  );

function queryString(body: Body): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(body)) {
    parameters.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return `/graphql?${parameters}`;
}

const get: Ask = async (url, body) =>
  codeOf(
    (
      await exchange(url, {
        method: 'GET',
        path: queryString(body),
        headers: { accept: 'application/graphql-response+json', 'apollo-require-preflight': 'yes' },
      })
    ).body,
  );

function eventCode(stream: string): unknown {
  const [, payload] = /^:\n\nevent: next\ndata: (.*)\n\nevent: complete\ndata:\n\n$/.exec(stream) ?? [];
  return codeOf(payload ?? stream);
}

const events: Ask = async (url, body) =>
  eventCode(
    (
      await exchange(url, {
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify(body),
      })
    ).body,
  );

const eventsByGet: Ask = async (url, body) =>
  eventCode(
    (
      await exchange(url, {
        method: 'GET',
        path: queryString(body),
        headers: { accept: 'text/event-stream', 'apollo-require-preflight': 'yes' },
      })
    ).body,
  );

/** What Apollo Client accepts for a subscription. */
const apolloAccept =
  'multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9';

function partCode({ headers, body }: RawAnswer): unknown {
  if (headers.get('content-type')?.startsWith('multipart/mixed') !== true) return codeOf(body);
  const [, part = '{}'] = /\r\n\r\n(\{.+\})\r\n--graphql--/.exec(body) ?? [];
  const { payload, errors } = JSON.parse(part);
  return codeOf(JSON.stringify({ errors: errors ?? payload?.errors }));
}

const partsBy =
  (accept: string): Ask =>
  async (url, body) =>
    partCode(
      await exchange(url, {
        headers: { 'content-type': 'application/json', accept },
        body: JSON.stringify(body),
      }),
    );

const parts = partsBy(apolloAccept);

const socket: Ask = async (url, body) => {
  const client = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
  try {
    await once(client, 'open');
    client.send('{"type":"connection_init"}');
    await once(client, 'message');
    // The protocol wants a text also where there is only a hash.
    const payload = 'length' in body ? body : { query: '', ...body };
    client.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
    const [answered] = await Promise.race([once(client, 'message'), once(client, 'close')]);
    if (typeof answered === 'number') return answered;
    const message = JSON.parse(String(answered)) as { type: string; payload: unknown };
    return message.type === 'error' ? codeOf(JSON.stringify({ errors: message.payload })) : message;
  } finally {
    client.terminate();
  }
};

const sharedStream: Ask = async (url, body) => {
  const { body: token } = await exchange(url, { method: 'PUT' });
  const { extensions } = body as { extensions?: object };
  const own = { 'x-graphql-event-stream-token': token };
  const { status, body: text } = await exchange(url, {
    headers: { ...own, 'content-type': 'application/json' },
    body: JSON.stringify(
      'length' in body ? body : { ...body, extensions: { ...extensions, operationId: '1' } },
    ),
  });
  if (status !== 202) return codeOf(text);
  await using stream = await RawConnection.open(url);
  stream.send({ method: 'GET', headers: { ...own, accept: 'text/event-stream' } });
  await stream.readHead();
  const [, payload] = /^:\n\nevent: next\ndata: (.*)\n\n/.exec((await stream.readChunk()) ?? '') ?? [];
  return codeOf(JSON.stringify(JSON.parse(payload ?? '{}').payload));
};

/** Those that can say a body of any kind. */
export const bodied = { post, events, parts, socket, sharedStream };

/** Every way in. */
export const transports: readonly [string, Ask][] = [
  ['POST', post],
  ['GET', get],
  ['server-sent events by POST', events],
  ['server-sent events by GET', eventsByGet],
  ["Apollo's multipart protocol", parts],
  ["Apollo's multipart protocol and nothing else", partsBy('multipart/mixed;subscriptionSpec=1.0')],
  ['WebSocket', socket],
  ['an event stream of several operations', sharedStream],
];
