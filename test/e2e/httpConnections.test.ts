import { describe, expect, test } from '@jest/globals';
import { RawConnection, type RawResponse } from '../harness/rawHttp.ts';
import { singleOutcome, startScriptedServer } from '../harness/scriptedServer.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';
import { waitUntil } from '../harness/waitUntil.ts';

const operation = { headers: { 'content-type': 'application/json' }, body: '{"query":"{ greeting }"}' };

test('an idle connection is kept for listen.timeouts.keepAlive, which the keep-alive header announces', async () => {
  await using kept = await startScriptedServer(undefined, { timeouts: { keepAlive: 3_600_000 } });
  await using connection = await RawConnection.open(kept.url);
  connection.send(operation);
  expect((await connection.readResponse()).headers.get('keep-alive')).toBe('timeout=3600');
  await using brief = await startScriptedServer(undefined, { timeouts: { keepAlive: 1 } });
  await using closed = await RawConnection.open(brief.url);
  closed.send(operation);
  await closed.readResponse();
  await closed.waitForClose();
  connection.send(operation);
  expect((await connection.readResponse()).status).toBe(200);
});

describe('a client that sends a request too slowly', () => {
  /** Sends text again and again until the server closes the connection. Returns the response. */
  async function drip(url: string, start: string, more: string): Promise<RawResponse> {
    await using connection = await RawConnection.open(url);
    connection.socket.write(start);
    const dripping = setInterval(() => connection.socket.write(more), 10);
    try {
      const response = await connection.readResponse();
      await connection.waitForClose();
      return response;
    } finally {
      clearInterval(dripping);
    }
  }

  const head = 'POST /graphql HTTP/1.1\r\nhost: gateway.test\r\ncontent-type: application/json\r\n';
  test.each([
    ['headers', 'sends the headers', `${head}x-slow: `, 'x'],
    ['headers', 'sends only line breaks', '', '\r\n'],
    ['request', 'sends the body', `${head}content-length: 1000000\r\n\r\n`, 'x'],
  ] as const)(
    'gets 408 after listen.timeouts.%s and loses its connection when it %s',
    async (timeout, _, start, more) => {
      const timeouts = { headers: timeout === 'headers' ? 100 : 200, request: 200 };
      await using server = await startScriptedServer(undefined, { timeouts });
      const { status, body } = await drip(server.url, start, more);
      expect([status, JSON.parse(body)]).toEqual([
        408,
        {
          errors: [
            {
              message: 'The request did not arrive in time (listen.timeouts). Send it again.',
              extensions: { code: 'BAD_REQUEST' },
            },
          ],
        },
      ]);
      expect([server.receivedOperations, server.logLines]).toEqual([[], []]);
    },
  );
});

describe('a client that half-closes its connection', () => {
  const post = 'POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n';

  test.each([
    ['within the headers', 'POST /graphql HTTP/1.1\r\nho'],
    ['within the body', `${post}content-length: 24\r\n\r\n{"query":`],
    ['within a chunk of the body', `${post}transfer-encoding: chunked\r\n\r\n18\r\n{"query":`],
  ])('%s gets an error that says so, and nothing is executed', async (_, bytes) => {
    await using server = await startScriptedServer();
    await using connection = await RawConnection.open(server.url);
    connection.socket.end(bytes);
    const { status, body } = await connection.readResponse();
    expect([status, JSON.parse(body).errors[0].message]).toEqual([
      400,
      'The connection ended before the request was complete. Send it again.',
    ]);
    expect([server.receivedOperations, server.logLines]).toEqual([[], []]);
  });

  test('after a request gets its response', async () => {
    await using server = await startScriptedServer();
    await using connection = await RawConnection.open(server.url);
    connection.send(operation);
    connection.socket.end();
    expect((await connection.readResponse()).status).toBe(200);
    await connection.waitForClose();
  });
});

test.each([false, true])(
  'a request with connection: close gets its response, and one that follows it is not executed (half-closed: %s)',
  async (isHalfClosed) => {
    const query = (name: string) => `{"query":"{ greeting(name: \\"${name}\\") }"}`;
    const close = { ...operation.headers, connection: 'close' };
    await using server = await startScriptedServer();
    await using connection = await RawConnection.open(server.url);
    connection.send({ headers: close, body: query('first') });
    connection.send({ ...operation, body: query('second') });
    if (isHalfClosed) connection.socket.end();
    const { status, body } = await connection.readResponse();
    expect([status, body]).toEqual([200, '{"data":{"greeting":"hello"}}']);
    await connection.waitForClose();
    expect(server.receivedOperations).toHaveLength(1);
  },
);

test('bytes without end behind a request with connection: close neither delay its response nor keep the connection', async () => {
  const ended = Promise.withResolvers<void>();
  await using server = await startScriptedServer(async () => {
    await ended.promise;
    return singleOutcome('{"greeting":"hello"}');
  });
  await using connection = await RawConnection.open(server.url);
  connection.send({ ...operation, headers: { ...operation.headers, connection: 'close' } });
  const writing = setInterval(() => connection.socket.write('x'.repeat(10_000)), 1);
  try {
    await waitUntil(() => server.receivedOperations.length === 1);
    await waitForTurns(100);
    ended.resolve();
    expect((await connection.readResponse()).status).toBe(200);
    await connection.waitForClose();
  } finally {
    clearInterval(writing);
  }
});

test.each([
  ['bytes that are no request', 'nothing\r\n\r\n'],
  ['an incomplete request', 'POST /graphql HTTP/1.1\r\nhost: a\r\n'],
])(
  'a request gets its response, which closes the connection, if %s follow it while it is executed',
  async (_, bytes) => {
    const ended = Promise.withResolvers<void>();
    await using server = await startScriptedServer(
      async () => {
        await ended.promise;
        return singleOutcome('{"greeting":"hello"}');
      },
      { timeouts: { headers: 50, request: 50 } },
    );
    await using connection = await RawConnection.open(server.url);
    connection.send(operation);
    await waitUntil(() => server.receivedOperations.length === 1);
    connection.socket.write(bytes);
    // Other requests are refused meanwhile for the same reasons.
    await using other = await RawConnection.open(server.url);
    other.socket.write(bytes);
    expect((await other.readResponse()).status).toBeGreaterThanOrEqual(400);
    ended.resolve();
    const { status, headers } = await connection.readResponse();
    expect([status, headers.get('connection')]).toEqual([200, 'close']);
    await connection.waitForClose();
  },
);
