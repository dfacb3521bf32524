import { once } from 'node:events';
import { type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import type { Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { createCertificate } from '../harness/createCertificate.ts';
import { exchange, RawConnection } from '../harness/rawHttp.ts';
import {
  ScriptedPayloads,
  type ScriptedServer,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';
import { openingRequest, operationRequest, reserveStream } from '../harness/singleConnection.ts';
import { writeCertificate } from '../harness/temporaryCertificates.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { waitUntil } from '../harness/waitUntil.ts';
import { Peer } from '../harness/webSocketPeer.ts';

/** Larger than any socket buffer. */
const size = 12_000_000;
const largeText = 'x'.repeat(size);
/** Two responses are more. */
const maxUnreadBytes = 20_000_000;
const query = '{ greeting }';
const multipart = 'multipart/mixed;deferSpec=20220824';

const error = {
  message:
    'The responses that this connection has not read have more than 20000000 bytes (limits.responseSize). The operation was executed. Read the responses before you send further operations.',
  extensions: { limit: 'responseSize', allowed: maxUnreadBytes, code: 'OVERLOADED' },
};
const refused = JSON.stringify({ errors: [error], data: null });

type Overrides = NonNullable<Parameters<typeof startScriptedServer>[1]>;

/** A server whose operations end when there are `count` of them, with responses of 12 MB. */
async function startLarge(count: number, overrides: Overrides = {}): Promise<ScriptedServer> {
  const allSent = Promise.withResolvers<void>();
  const server = await startScriptedServer(
    async ({ document }) => {
      if (server.receivedOperations.length === count) allSent.resolve();
      if (document.loc?.source.body.includes('small')) return singleOutcome('{"greeting":"small"}');
      await allSent.promise;
      if (!document.loc?.source.body.includes('node')) return largeOutcome();
      const payloads = new ScriptedPayloads();
      payloads.push([{ data: largeText, hasNext: false }]);
      return payloads.outcome;
    },
    { bufferSize: 1000, maxUnreadBytes, readTimeoutMs: 60_000, ...overrides },
  );
  return server;
}

const largeOutcome = () => singleOutcome(JSON.stringify({ greeting: largeText }));

/** What is left of a text without the values of 12 MB. */
const shorten = (message: unknown): string => JSON.stringify(message).replaceAll(largeText, 'x…');

async function subscribeInOrder(server: ScriptedServer, peer: Peer, text: string, count: number) {
  for (let id = 1; id <= count; id += 1) {
    peer.subscribe(text, String(id));
    await waitUntil(() => server.receivedOperations.length === id);
  }
  await waitForTurns(50);
}

describe('the responses that wait for a WebSocket client', () => {
  test('have a maximum together, beyond which an operation gets an error', async () => {
    await using server = await startLarge(4);
    await using peer = await Peer.ready(server.url);
    peer.socket.pause();
    await subscribeInOrder(server, peer, query, 4);
    peer.socket.resume();
    const types: string[] = [];
    for (let count = 0; count < 5; count += 1) {
      const { type, payload } = (await peer.next()) as { type: string; payload?: unknown };
      types.push(type);
      if (type === 'error') expect(payload).toEqual([error]);
    }
    expect(types).toEqual(['next', 'complete', 'error', 'error', 'error']);
  });

  test('count with incremental payloads', async () => {
    await using server = await startLarge(3);
    await using peer = await Peer.ready(server.url);
    peer.socket.pause();
    await subscribeInOrder(server, peer, '{ node { name } }', 3);
    peer.socket.resume();
    const types: unknown[] = [];
    for (let count = 0; count < 4; count += 1) {
      const { type } = (await peer.next()) as { type: string };
      types.push(type);
    }
    expect(types).toEqual(['next', 'complete', 'error', 'error']);
  });
});

test('operations that a WebSocket client has sent before it stopped reading begin when it reads again', async () => {
  const count = 20;
  await using server = await startLarge(1);
  await using peer = await Peer.ready(server.url);
  peer.socket.pause();
  // One packet: the gateway has read all messages when the first response fills the outbox.
  const { _socket: connection } = peer.socket as unknown as { readonly _socket: Socket };
  connection.cork();
  for (let id = 1; id <= count; id += 1) peer.subscribe(query, String(id));
  connection.uncork();
  await waitUntil(() => server.receivedOperations.length > 0);
  await waitForTurns(100);
  expect(server.receivedOperations.length).toBeLessThan(count);
  peer.socket.resume();
  for (let ended = 0; ended < count; ) {
    const { type } = (await peer.next()) as { type: string };
    if (type !== 'next') ended += 1;
  }
  expect(server.receivedOperations).toHaveLength(count);
});

test('the responses that wait for the client of an event stream have a maximum together', async () => {
  await using server = await startLarge(3);
  const token = await reserveStream(server.url);
  const requests = ['1', '2', '3'].map((id) => exchange(server.url, operationRequest(token, { query }, id)));
  for (const request of requests) expect((await request).status).toBe(202);
  await using connection = await RawConnection.open(server.url);
  await waitForTurns(50);
  connection.send(openingRequest(token));
  await connection.readHead();
  let received = '';
  while (received.split('event: complete').length < 4) received += shorten(await connection.readChunk());
  expect([...received.matchAll(/OVERLOADED|x…/g)].map(([found]) => found).sort()).toEqual([
    'OVERLOADED',
    'OVERLOADED',
    'x…',
  ]);
});

describe('pipelined responses of one connection', () => {
  test.each([
    ['to operations', '{"query":"{ greeting }"}', refused],
    ['to batches', '[{"query":"{ greeting }"},{"query":"{ small: greeting }"}]', `[${refused},${refused}]`],
  ])('%s have a maximum together, beyond which one has null data and an error', async (_, body, expected) => {
    const count = body.startsWith('[') ? 4 : 2;
    await using server = await startLarge(count, { limits: { batchedOperations: 2 } });
    await using connection = await RawConnection.open(server.url);
    connection.socket.pause();
    const request = { headers: { 'content-type': 'application/json' }, body };
    for (const part of [1, 2]) {
      connection.send(request);
      await waitUntil(() => server.receivedOperations.length === (part * count) / 2);
    }
    await waitForTurns(50);
    connection.socket.resume();
    const responses = [await connection.readResponse(), await connection.readResponse()];
    expect(responses.map(({ status }) => status)).toEqual([200, 200]);
    const [small, large] = responses.map(({ body }) => body).sort((a, b) => a.length - b.length);
    expect([small, (large?.length ?? 0) > size]).toEqual([expected, true]);
  });
});

describe('the responses that wait for an HTTP/2 client', () => {
  /** Sends large operations on one connection, and reads their responses when there are all heads; then another one. Returns
   *  the statuses and bodies of all. */
  async function operate(accept: string, text: string): Promise<string[]> {
    const authority = createCertificate({ name: 'authority', isAuthority: true });
    await using written = await writeCertificate(createCertificate({ name: 'gateway', issuer: authority }));
    await using server = await startLarge(2, { listen: { tls: written.files } });
    const session = connectHttp2(new URL(server.url).origin, { ca: authority.cert });
    const heads: Promise<unknown>[] = [];
    const send = async (sent: string): Promise<ClientHttp2Stream> => {
      const before = server.receivedOperations.length;
      const headers = { ':method': 'POST', ':path': '/graphql', 'content-type': 'application/json', accept };
      const stream = session.request(headers);
      heads.push(once(stream, 'response'));
      stream.end(JSON.stringify({ query: sent }));
      await waitUntil(() => server.receivedOperations.length > before);
      return stream;
    };
    const first = [await send(text), await send(text)];
    await Promise.all(heads);
    first.push(await send('{ small: greeting }'));
    const responses: string[] = [];
    for (const stream of first.reverse()) responses.push(await readText(stream));
    responses.push(await readText(await send(text)));
    session.destroy();
    return responses.map((body) => body.replace(largeText, 'x…')).sort();
  }

  async function readText(stream: ClientHttp2Stream): Promise<string> {
    let body = '';
    stream.setEncoding('utf8').on('data', (part: string) => {
      body += part;
    });
    await once(stream, 'end');
    return body;
  }

  test('have a maximum together, beyond which large ones have null data and an error', async () => {
    const large = JSON.stringify({ data: { greeting: 'x…' } });
    const responses = await operate('application/json', query);
    expect(responses).toEqual(['{"data":{"greeting":"small"}}', large, large, refused]);
  });

  test('count with incremental payloads', async () => {
    const part = (payload: object) =>
      `\r\n---\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${JSON.stringify(payload)}\r\n-----\r\n`;
    const large = part({ data: 'x…', hasNext: false });
    const responses = await operate(multipart, '{ node { name } }');
    expect(responses).toEqual([
      large,
      large,
      part({ data: { greeting: 'small' }, hasNext: false }),
      part({ errors: [error], hasNext: false }),
    ]);
  });
});
