import { once } from 'node:events';
import { request as openRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import fastify from 'fastify';
import { addCallbackRoute } from '../../../gateway/subscriptions/callbackRoute.ts';
import type {
  CallbackOutcome,
  CallbackReceiver,
} from '../../../gateway/subscriptions/sources/callbackReceiver.ts';
import { EventCounter } from '../../harness/redisStoreFixture.ts';

type Received = [id: string, message: unknown, size: number];

/** A receiver that knows the ids that begin with `known`. */
async function start(outcome: CallbackOutcome | Promise<CallbackOutcome> = 'accepted', bodySize = 100) {
  const received: Received[] = [];
  const tooLarge: string[] = [];
  const handedOn = new EventCounter();
  const callbacks: CallbackReceiver = {
    isKnown: (id) => id.startsWith('known'),
    receive: (...message) => {
      received.push(message);
      handedOn.increment();
      return isCheck(message[1]) ? 'checked' : outcome;
    },
    isVerifier: (_, verifier) => verifier !== 'wrong',
    failTooLarge: (id) => tooLarge.push(id),
  };
  const server = fastify({ forceCloseConnections: true });
  addCallbackRoute(server, { callbacks, bodySize, queueLimits: { maxWaiting: 2, maxBytes: 5000 } });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  return {
    port,
    received,
    /** The ids of messages that were too large to be read. */
    tooLarge,
    /** Resolves when `count` messages have been passed to the receiver. */
    handedOn: (count: number) => handedOn.waitForCount(count),
    post: (path: string, body: BodyInit, headers: Record<string, string> = {}) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      }),
    ask: (path: string, init: RequestInit) => fetch(`${url}${path}`, init),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const check = JSON.stringify({ action: 'check' });

function isCheck(message: unknown): boolean {
  return JSON.stringify(message) === check;
}

describe('POST /callback/:id', () => {
  test.each<[CallbackOutcome, number, unknown]>([
    ['checked', 204, undefined],
    ['accepted', 200, undefined],
    ['completed', 202, undefined],
    ['unknown', 404, { error: 'No subscription has this id, or the subscription has ended.' }],
    ['forbidden', 401, { error: 'The verifier does not belong to this subscription.' }],
    [{ malformed: 'The message is odd.' }, 400, { error: 'The message is odd.' }],
  ])('answers the outcome %j with status %d', async (outcome, status, problem) => {
    await using server = await start(outcome);
    const response = await server.post('/callback/known', '{"a":"é"}');
    const body = await response.text();
    expect(response.status).toBe(status);
    expect(body === '' ? undefined : JSON.parse(body)).toEqual(problem);
    expect(response.headers.get('subscription-protocol')).toBe(outcome === 'checked' ? 'callback/1.0' : null);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(server.received).toEqual([['known', { a: 'é' }, 10]]);
  });

  test('answers for an unknown id without waiting for the body', async () => {
    await using server = await start();
    const socket = connect(server.port, '127.0.0.1');
    socket.write(
      'POST /callback/other HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n',
    );
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 404 /);
    socket.destroy();
    expect(server.received).toEqual([]);
  });

  test('processes messages of one id in the order in which they have arrived, and different ids independently', async () => {
    const answer = Promise.withResolvers<CallbackOutcome>();
    await using server = await start(answer.promise);
    const incomplete = openRequest({
      port: server.port,
      method: 'POST',
      path: '/callback/known-1',
      headers: { 'content-type': 'application/json', expect: '100-continue' },
    });
    const lastAnswer = once(incomplete, 'response');
    // The head of the request has been read.
    const begun = once(incomplete, 'continue');
    incomplete.flushHeaders();
    await begun;
    const first = server.post('/callback/known-1', '1');
    await server.handedOn(1);
    const other = server.post('/callback/known-2', '2');
    await server.handedOn(2);
    incomplete.end('3');
    expect((await server.post('/callback/known-1', check)).status).toBe(204);
    expect(server.received.map(([, message]) => message)).toEqual([1, 2, { action: 'check' }]);
    answer.resolve('accepted');
    await Promise.all([first, other, lastAnswer]);
    expect(server.received.at(-1)).toEqual(['known-1', 3, 1]);
  });

  test('answers messages with a wrong verifier at once, also those that are too large', async () => {
    const answer = Promise.withResolvers<CallbackOutcome>();
    await using server = await start(answer.promise);
    const first = server.post('/callback/known', '1');
    await server.handedOn(1);
    const wrong = { verifier: 'wrong' };
    void server.post('/callback/known', JSON.stringify(wrong));
    await server.handedOn(2);
    const large = JSON.stringify({ ...wrong, payload: ' '.repeat(101) });
    expect((await server.post('/callback/known', large)).status).toBe(413);
    expect(server.tooLarge).toEqual([]);
    answer.resolve('forbidden');
    await first;
  });

  test('continues with the next message when one of the same id is aborted or malformed', async () => {
    await using server = await start();
    const first = openRequest({
      port: server.port,
      method: 'POST',
      path: '/callback/known',
      headers: { 'content-type': 'application/json', expect: '100-continue' },
    });
    first.on('error', () => {});
    const begun = once(first, 'continue');
    first.flushHeaders();
    await begun;
    const second = server.post('/callback/known', '2');
    first.destroy();
    expect((await second).status).toBe(200);
    expect((await server.post('/callback/known', '{')).status).toBe(400);
    expect((await server.post('/callback/known', '3')).status).toBe(200);
    expect(server.received).toEqual([
      ['known', 2, 1],
      ['known', 3, 1],
    ]);
  });

  test.each([
    ['more events than may', [1, 2, 3]],
    ['more bytes than may', ['x'.repeat(3000), 'y'.repeat(3000)]],
  ])(
    'where %s wait for the answer to the one before, one is answered with 503, and checks as ever',
    async (_, events) => {
      const answer = Promise.withResolvers<CallbackOutcome>();
      await using server = await start(answer.promise, 10_000);
      const post = async (event: unknown) => {
        const response = await server.post('/callback/known', JSON.stringify(event));
        return [response.status, response.headers.get('retry-after')];
      };
      const first = post('first');
      await server.handedOn(1);
      const others = events.map(post);
      expect(await Promise.race(others)).toEqual([503, '1']);
      // Another id has another queue.
      const elsewhere = server.post('/callback/known-2', '1');
      await server.handedOn(2);
      expect((await server.post('/callback/known', check)).status).toBe(204);
      expect(server.received.map(([id, message]) => [id, message])).toEqual([
        ['known', 'first'],
        ['known-2', 1],
        ['known', { action: 'check' }],
      ]);
      answer.resolve('accepted');
      const statuses = (await Promise.all([first, ...others])).map(([status]) => status);
      expect(statuses.toSorted()).toEqual([200, ...events.slice(1).map(() => 200), 503]);
      expect((await elsewhere).status).toBe(200);
      expect(await post('again')).toEqual([200, null]);
    },
  );

  test('messages with a wrong verifier take no room of those with the right one', async () => {
    await using server = await start('accepted', 10_000);
    const begin = (verifier: string) => {
      const request = openRequest({
        port: server.port,
        method: 'POST',
        path: '/callback/known',
        headers: { 'content-type': 'application/json' },
      });
      request.on('error', () => {});
      const status = once(request, 'response').then(([{ statusCode }]) => statusCode);
      request.write(`{"verifier":"${verifier}","payload":"${'x'.repeat(4000)}`);
      return { status, end: () => request.end('"}') };
    };
    const wrong = ['wrong', 'wrong', 'wrong'].map(begin);
    // The first one has as much room as it needs, and the second one fits.
    expect(await Promise.race(wrong.map(({ status }) => status))).toBe(503);
    const right = begin('right');
    right.end();
    expect(await right.status).toBe(200);
    const statuses = Promise.all(wrong.map(({ status }) => status));
    for (const { end } of wrong) end();
    expect((await statuses).toSorted()).toEqual([200, 200, 503]);
  });

  test('limits the size of a message after decompression', async () => {
    await using server = await start();
    const gzip = { 'content-encoding': 'gzip' };
    const fits = JSON.stringify('x'.repeat(98));
    expect((await server.post('/callback/known', gzipSync(fits), gzip)).status).toBe(200);
    const large = JSON.stringify({ verifier: 'right', payload: ' '.repeat(98) });
    const response = await server.post('/callback/known', gzipSync(large), gzip);
    expect([response.status, await response.json()]).toEqual([
      413,
      {
        error: 'The request body is larger than 100 bytes, the maximum (by subscriptions.eventSize).',
      },
    ]);
    expect(server.received).toEqual([['known', 'x'.repeat(98), 100]]);
    expect(server.tooLarge).toEqual(['known']);
  });

  test('reports a message that is too large after the earlier ones of its id', async () => {
    const answer = Promise.withResolvers<CallbackOutcome>();
    await using server = await start(answer.promise);
    const first = server.post('/callback/known', '1');
    await server.handedOn(1);
    const large = JSON.stringify({ verifier: 'right', payload: ' '.repeat(101) });
    const second = server.post('/callback/known', large);
    // A message of another id that began later is answered.
    expect((await server.post('/callback/known-2', large)).status).toBe(413);
    expect((await server.post('/callback/other', large)).status).toBe(404);
    expect(server.tooLarge).toEqual(['known-2']);
    answer.resolve('accepted');
    expect([(await first).status, (await second).status]).toEqual([200, 413]);
    expect(server.tooLarge).toEqual(['known-2', 'known']);
  });

  test.each([
    ['no type', {}],
    ['a type that is none', { 'content-type': 'json' }],
    ['text', { 'content-type': 'text/plain' }],
    ['JSON in another encoding', { 'content-type': 'application/json; charset=utf-16' }],
  ])('answers 415 for a message that is not JSON: %s', async (_, headers) => {
    await using server = await start();
    const body = Buffer.from('{}');
    const response = await server.ask('/callback/known', { method: 'POST', headers, body });
    expect(response.status).toBe(415);
    expect(server.received).toEqual([]);
  });

  test('rejects cross-origin requests of browsers and other methods than POST', async () => {
    await using server = await start();
    const origin = 'https://shop.example';
    const preflight = await server.ask('/callback/known', {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    const sent = await server.post('/callback/known', '{}', { origin });
    for (const { headers } of [preflight, sent]) {
      expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
    expect(preflight.status).toBe(404);
    expect((await server.ask('/callback/known', { method: 'GET' })).status).toBe(404);
  });
});
