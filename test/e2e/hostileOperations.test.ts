import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { exchange, RawConnection } from '../harness/frames.ts';
import { answer, startScripted } from '../unit/transport/scriptedServer.ts';

type Body = Record<string, unknown> | readonly unknown[];

/** Asks by one transport, and tells the code of the first error, or how the connection ended. */
type Ask = (url: string, body: Body) => Promise<unknown>;

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

const deep = `{ ${'node { '.repeat(8)} id ${'}'.repeat(8)} }`;
const aliases = `{ ${Array.from({ length: 8 }, (_, index) => `a${index}: greeting`).join(' ')} }`;
const tokens = `{ ${'greeting '.repeat(60)} }`;
const unknownHash = { version: 1, sha256Hash: '0'.repeat(64) };

const operations: [string, Body, string][] = [
  ['is nested too deep', { query: deep }, 'OPERATION_TOO_COMPLEX'],
  ['has too many aliases', { query: aliases }, 'OPERATION_TOO_COMPLEX'],
  ['has too many tokens', { query: tokens }, 'OPERATION_TOO_COMPLEX'],
  [
    'has variables that nest too deep',
    { query: '{ greeting }', variables: { a: [[[[[[[[[]]]]]]]]] } },
    'OPERATION_TOO_COMPLEX',
  ],
  ['has no syntax', { query: '{ greeting' }, 'GRAPHQL_PARSE_FAILED'],
  ['is not valid', { query: '{ nothing }' }, 'GRAPHQL_VALIDATION_FAILED'],
  ['introspects', { query: '{ __schema { types { name } } }' }, 'GRAPHQL_VALIDATION_FAILED'],
  [
    'names an operation that is not there',
    { query: 'query A { greeting }', operationName: 'B' },
    'OPERATION_RESOLUTION_FAILURE',
  ],
  [
    'knows only a hash that nobody registered',
    { extensions: { persistedQuery: unknownHash } },
    'PERSISTED_QUERY_NOT_FOUND',
  ],
  [
    'has another hash than its text',
    { query: '{ greeting }', extensions: { persistedQuery: unknownHash } },
    'BAD_REQUEST',
  ],
  [
    'has a persisted query of another version',
    { query: '{ greeting }', extensions: { persistedQuery: { version: 2 } } },
    'BAD_REQUEST',
  ],
];

const transports: [string, Ask][] = [
  ['POST', post],
  ['GET', get],
  ['server-sent events by POST', events],
  ['server-sent events by GET', eventsByGet],
  ['WebSocket', socket],
  ['an event stream of several operations', sharedStream],
];

function startStrict() {
  return startScripted(() => answer('{}'), { limits: { depth: 6, aliases: 6, tokens: 50, bodySize: 2000 } });
}

describe.each(operations)('an operation that %s', (_, body, code) => {
  test.each(transports)('is refused by %s as by any other', async (_name, ask) => {
    await using server = await startStrict();
    // The second time, what was accepted before might be remembered.
    expect([await ask(server.url, body), await ask(server.url, body)]).toEqual([code, code]);
    expect(server.seen).toHaveLength(0);
  });
});

describe('what a transport has its own word for', () => {
  const large = { query: `{ greeting } # ${'x'.repeat(3000)}` };
  const batch = [{ query: '{ greeting }' }];

  test.each([
    ['POST', post, 'BAD_REQUEST', 'BAD_REQUEST'],
    ['server-sent events by POST', events, 'BAD_REQUEST', 'BAD_REQUEST'],
    ['WebSocket', socket, 1009, 4400],
    ['an event stream of several operations', sharedStream, 'BAD_REQUEST', 'BAD_REQUEST'],
  ] as const)('is refused by %s when it is too large, or a batch', async (_, ask, tooLarge, tooMany) => {
    await using server = await startStrict();
    expect([await ask(server.url, large), await ask(server.url, batch)]).toEqual([tooLarge, tooMany]);
    expect(server.seen).toHaveLength(0);
  });
});
