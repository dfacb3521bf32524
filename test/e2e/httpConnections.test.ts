import { describe, expect, test } from '@jest/globals';
import { RawConnection, type RawResponse } from '../harness/rawHttp.ts';
import { startScriptedServer } from '../harness/scriptedServer.ts';

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
