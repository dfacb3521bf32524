import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { maxMissedHeartbeats } from '../../../../gateway/subscriptions/sources/heartbeatMonitor.ts';
import { exchange } from '../../../harness/rawHttp.ts';
import {
  connectTimeoutMs,
  firstDelayMs,
  heartbeatMs,
  type RecordingReceiver,
} from '../../../harness/sourceFixture.ts';
import { waitUntil } from '../../../harness/waitUntil.ts';
import { type ScriptedSocket, startScriptedWebSocketUpstream } from '../../../harness/webSocketUpstream.ts';
import { established, next, sourceOf, startScripted } from './graphqlWsFixture.ts';

describe('connections that end at every stage', () => {
  test('a cancel before the end of the handshake leaves no resources', async () => {
    await using at = await startScripted();
    const { receiver, cancel } = at.subscribe();
    cancel();
    await at.source.close();
    await at.upstream.waitForOpenCount(0);
    expect(receiver.log).toEqual([]);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('a cancel before the acknowledgement closes the socket', async () => {
    await using at = await startScripted();
    const { receiver, cancel } = at.subscribe();
    const server = await at.upstream.next();
    await server.waitForMessages(1);
    cancel();
    expect(await server.closeCode).toBe(1000);
    expect(server.messages).toEqual([{ type: 'connection_init' }]);
    expect(receiver.log).toEqual([]);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('a cancel between events sends `complete` and closes the socket', async () => {
    await using at = await startScripted();
    const server = await established(at);
    server.send(next(1));
    await server.receiver.waitForLog(1);
    server.cancel();
    expect(await server.closeCode).toBe(1000);
    expect(server.messages.slice(1)).toEqual([
      { id: '1', type: 'subscribe', payload: { query: 'subscription { tick }', variables: {} } },
      { id: '1', type: 'complete' },
    ]);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('after a cancel within onEvent, the receiver gets nothing more', async () => {
    await using at = await startScripted();
    const server = await established(at);
    server.receiver.onLogEntry = server.cancel;
    server.send(next(1));
    server.send(next(2));
    expect(await server.closeCode).toBe(1000);
    expect(server.receiver.log).toEqual(['{"tick":1}']);
  });

  test('events of an ended subscription are ignored', async () => {
    await using at = await startScripted();
    const server = await established(at);
    const second = at.subscribe();
    await server.waitForMessages(3);
    server.cancel();
    await server.waitForMessages(4);
    server.send(next('late', '1'));
    server.send(next('right', '2'));
    expect(await second.receiver.waitForLog(1)).toEqual(['{"tick":"right"}']);
    expect(server.receiver.log).toEqual([]);
  });

  test('a socket that is not acknowledged within connectTimeout fails', async () => {
    await using at = await startScripted({ heartbeatMs: 0 });
    const { receiver } = at.subscribe();
    const server = await at.upstream.next();
    await server.waitForMessages(1);
    at.clock.advance(connectTimeoutMs);
    expect(receiver.log).toEqual(['error SUBGRAPH_TIMEOUT']);
    expect(receiver.error?.message).toContain('(subscriptions.connectTimeout)');
    await server.closeCode;
    expect(at.clock.pendingCount).toBe(0);
  });

  test('a server that accepts the connection and sends nothing fails after connectTimeout', async () => {
    const server = createTcpServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await using at = sourceOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const accepted = once(server, 'connection');
    const { receiver } = at.subscribe();
    const [socket] = (await accepted) as [Socket];
    socket.resume();
    const closed = once(socket, 'close');
    socket.on('error', () => {});
    at.clock.advance(connectTimeoutMs);
    expect(receiver.log).toEqual(['error SUBGRAPH_TIMEOUT']);
    expect(receiver.error?.message).toContain('(subscriptions.connectTimeout)');
    await closed;
    server.close();
  });

  test('an unreachable subgraph ends the subscription with an error', async () => {
    await using at = sourceOf('http://127.0.0.1:1/graphql');
    expect(await at.subscribe().receiver.waitForLog(1)).toEqual(['error SUBGRAPH_UNREACHABLE']);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('an invalid URL ends the subscription with an error', async () => {
    await using at = sourceOf('http://:nonsense/');
    const { receiver } = at.subscribe();
    expect(receiver.log).toEqual([]);
    expect(await receiver.waitForLog(1)).toEqual(['error INTERNAL_SERVER_ERROR']);
  });

  test.each([
    [401, 'SUBGRAPH_ERROR'],
    [503, 'SUBGRAPH_UNREACHABLE'],
  ])('reports a handshake that is answered with status %d', async (status, code) => {
    const server = createTcpServer((socket) => {
      // Without reading, it would stay open after the client has closed its side.
      socket.on('error', () => {}).resume();
      socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await using at = sourceOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const { receiver } = at.subscribe();
    expect(await receiver.waitForLog(1)).toEqual([`error ${code}`]);
    expect(receiver.error?.extensions).toEqual({ http: { status } });
    server.close();
  });

  test('an invalid handshake ends the subscription with an error', async () => {
    const server = createTcpServer((socket) => {
      // Without reading, it would stay open after the client has closed its side.
      socket.on('error', () => {}).resume();
      socket.end('SSH-2.0-OpenSSH\r\n');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await using at = sourceOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    expect(await at.subscribe().receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    server.close();
  });
});

describe('lost connections', () => {
  test('fails after reconnect.attempts attempts with growing delays', async () => {
    await using at = await startScripted({ heartbeatMs: 0 });
    const server = await established(at);
    server.socket.terminate();
    await server.receiver.waitForLog(1);
    at.clock.advance(firstDelayMs);
    (await at.upstream.next()).socket.terminate();
    await waitUntil(() => at.delaysMs.at(-1) === 2 * firstDelayMs);
    at.clock.advance(2 * firstDelayMs - 1);
    expect(at.upstream.handshakes).toHaveLength(2);
    at.clock.advance(1);
    (await at.upstream.next()).socket.terminate();
    expect(await server.receiver.waitForLog(2)).toEqual([
      'interrupted SUBGRAPH_UNREACHABLE',
      'error SUBGRAPH_UNREACHABLE',
    ]);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('reconnects to the current URL of the subgraph', async () => {
    await using next = await startScriptedWebSocketUpstream();
    await using at = await startScripted();
    const server = await established(at);
    at.move(next.url);
    server.socket.terminate();
    await server.receiver.waitForLog(1);
    at.clock.advance(firstDelayMs);
    const again = await next.next();
    again.acknowledge();
    expect((await again.waitForMessages(2))[1]).toMatchObject({ type: 'subscribe' });
  });

  test('reconnects to the earlier URL of the subgraph while the current one is invalid', async () => {
    await using at = await startScripted();
    const server = await established(at);
    at.move('http://:nonsense/');
    server.socket.terminate();
    await server.receiver.waitForLog(1);
    at.clock.advance(firstDelayMs);
    const again = await at.upstream.next();
    again.acknowledge();
    expect(await server.receiver.waitForLog(2)).toEqual(['interrupted SUBGRAPH_UNREACHABLE', 'resubscribed']);
  });

  test('fails without an interruption when reconnect.attempts is 0', async () => {
    await using at = await startScripted({ reconnect: { attempts: 0, minDelayMs: 1, maxDelayMs: 1 } });
    const server = await established(at);
    server.socket.terminate();
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_UNREACHABLE']);
  });

  test('fails when the server accepts and drops every connection', async () => {
    await using at = await startScripted();
    let server: ScriptedSocket & { receiver: RecordingReceiver } = await established(at);
    const { receiver } = server;
    for (const delay of [firstDelayMs, 2 * firstDelayMs]) {
      server.socket.terminate();
      await receiver.waitForLog(receiver.log.length + 1);
      at.clock.advance(delay);
      server = { ...(await at.upstream.next()), receiver };
      server.acknowledge();
      await receiver.waitForLog(receiver.log.length + 1);
    }
    server.socket.terminate();
    expect((await receiver.waitForLog(5)).slice(-1)).toEqual(['error SUBGRAPH_UNREACHABLE']);
  });

  test('an event resets the count of attempts', async () => {
    await using at = await startScripted({ reconnect: { attempts: 1, minDelayMs: 10, maxDelayMs: 1000 } });
    let server: ScriptedSocket & { receiver: RecordingReceiver } = await established(at);
    const { receiver } = server;
    for (let round = 0; round < 3; round++) {
      server.socket.terminate();
      await receiver.waitForLog(3 * round + 1);
      at.clock.advance(10);
      server = { ...(await at.upstream.next()), receiver };
      server.acknowledge();
      await receiver.waitForLog(3 * round + 2);
      server.send(next(round));
      await receiver.waitForLog(3 * round + 3);
    }
    expect(receiver.log.filter((news) => news === 'resubscribed')).toHaveLength(3);
  });

  test('a subscription that begins during the reconnection delay is subscribed with the others', async () => {
    await using at = await startScripted();
    const server = await established(at);
    server.socket.terminate();
    await server.receiver.waitForLog(1);
    const later = at.subscribe();
    at.clock.advance(firstDelayMs);
    const again = await at.upstream.next();
    again.acknowledge();
    const messages = await again.waitForMessages(3);
    expect(messages.map(({ type, id }) => [type, id])).toStrictEqual([
      ['connection_init', undefined],
      ['subscribe', '1'],
      ['subscribe', '2'],
    ]);
    again.send(next('late', '2'));
    expect(await later.receiver.waitForLog(1)).toEqual(['{"tick":"late"}']);
  });

  test('a subscription that begins during the reconnection delay fails after connectTimeout', async () => {
    const reconnect = { attempts: 5, minDelayMs: 60_000, maxDelayMs: 60_000 };
    await using at = await startScripted({ reconnect });
    const server = await established(at);
    server.socket.terminate();
    await server.receiver.waitForLog(1);
    const later = at.subscribe();
    at.clock.advance(connectTimeoutMs);
    expect(later.receiver.log).toEqual(['error SUBGRAPH_TIMEOUT']);
    expect(later.receiver.error?.message).toContain('(subscriptions.connectTimeout)');
    expect(server.receiver.log).toEqual(['interrupted SUBGRAPH_UNREACHABLE']);
  });

  test.each([
    [1000, 'interrupted SUBGRAPH_UNREACHABLE'],
    [1001, 'interrupted SUBGRAPH_UNREACHABLE'],
    [1011, 'interrupted SUBGRAPH_UNREACHABLE'],
    [4408, 'interrupted SUBGRAPH_UNREACHABLE'],
    [4999, 'interrupted SUBGRAPH_UNREACHABLE'],
    [4401, 'error SUBGRAPH_ERROR'],
    [4403, 'error SUBGRAPH_ERROR'],
    [4500, 'error SUBGRAPH_ERROR'],
    [4400, 'error SUBGRAPH_INVALID_RESPONSE'],
    [4406, 'error SUBGRAPH_INVALID_RESPONSE'],
    [4409, 'error SUBGRAPH_INVALID_RESPONSE'],
    [4429, 'error SUBGRAPH_INVALID_RESPONSE'],
    [1002, 'error SUBGRAPH_INVALID_RESPONSE'],
  ])('reports a close with code %d', async (code, news) => {
    await using at = await startScripted();
    const server = await established(at);
    server.socket.close(code);
    expect(await server.receiver.waitForLog(1)).toEqual([news]);
    expect(at.clock.pendingCount).toBe(news.startsWith('error') ? 0 : 1);
  });
});

describe('missing heartbeats', () => {
  test('a silent socket is pinged, then counts as lost', async () => {
    await using at = await startScripted();
    const server = await established(at);
    // The first interval has activity: the acknowledgement.
    at.clock.advance(3 * heartbeatMs);
    expect((await server.waitForMessages(4)).slice(2)).toEqual([{ type: 'ping' }, { type: 'ping' }]);
    at.clock.advance(heartbeatMs);
    expect(server.receiver.log).toEqual(['interrupted SUBGRAPH_UNREACHABLE']);
    await server.closeCode;
  });

  test('a socket that answers pings stays connected', async () => {
    await using at = await startScripted();
    const server = await established(at);
    for (let interval = 0; interval < 4; interval++) {
      at.clock.advance(heartbeatMs);
      server.send({ type: 'pong' });
      server.send(next(interval));
      await server.receiver.waitForLog(interval + 1);
    }
    expect(server.receiver.log).toEqual([0, 1, 2, 3].map((tick) => `{"tick":${tick}}`));
  });

  test('a socket stays connected in the middle of a message as long as bytes of it arrive', async () => {
    await using at = await startScripted();
    const server = await established(at);
    const { _socket: connection } = server.socket as unknown as { readonly _socket: Socket };
    const message = JSON.stringify(next(1));
    const parts = [...message.matchAll(/.{1,10}/g)].map(String);
    // The header of a text message.
    connection.write(Buffer.from([0x81, message.length]));
    for (const part of parts) {
      connection.write(part);
      // The source reads the part before the response to a later request on another connection.
      await exchange(at.upstream.url, { method: 'GET' });
      at.clock.advance(heartbeatMs);
    }
    expect(parts.length).toBeGreaterThan(maxMissedHeartbeats);
    expect(await server.receiver.waitForLog(1)).toEqual(['{"tick":1}']);
  });

  test('answers pings of the subgraph with their payload', async () => {
    await using at = await startScripted();
    const server = await established(at);
    server.send({ type: 'ping' });
    server.send({ type: 'ping', payload: { at: 7 } });
    expect((await server.waitForMessages(4)).slice(2)).toEqual([
      { type: 'pong' },
      { type: 'pong', payload: { at: 7 } },
    ]);
  });
});
