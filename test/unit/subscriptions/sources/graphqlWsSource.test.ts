import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import type { PreparedOperation } from '../../../../gateway/operation/preparedOperation.ts';
import { createGraphqlWsSource } from '../../../../gateway/subscriptions/sources/graphqlWsSource.ts';
import type { SourceEndpoint } from '../../../../gateway/subscriptions/sources/subscriptionSource.ts';
import { countRemaining } from '../../../harness/countRemaining.ts';
import {
  connectTimeoutMs,
  createSourceFixture,
  firstDelayMs,
  heartbeatMs,
  RecordingReceiver,
  type SourceFixture,
} from '../../../harness/sourceFixture.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import { waitUntil } from '../../../harness/waitUntil.ts';
import {
  type ScriptedSocket,
  startGraphqlWsUpstream,
  startScriptedWebSocketUpstream,
} from '../../../harness/webSocketUpstream.ts';

const sourceOf = (url: string, more?: Partial<SourceEndpoint>): SourceFixture =>
  createSourceFixture(createGraphqlWsSource, url, more);

const headers = (name: string, value: string) => ({ key: `${name}:${value}`, pairs: [name, value] });

describe('with the reference server', () => {
  test('delivers the events in order, then the completion', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe();
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.push(1);
    upstream.ticks.push(2);
    upstream.ticks.end();
    expect(await receiver.waitForLog(3)).toEqual(['{"tick":"1"}', '{"tick":"2"}', 'complete']);
    await upstream.waitForOpenCount(0);
    expect(at.clock.pendingCount).toBe(0);
    expect(at.acceptedSubgraphs).toEqual(['reviews']);
  });

  test('stops reading a shared socket while one subscription is paused, and expects no heartbeats meanwhile', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const paused = [at.subscribe(), at.subscribe()];
    const { receiver: other } = at.subscribe({ headers: headers('authorization', 'other') });
    await upstream.ticks.waitForListeners(3);
    for (const { flow } of paused) flow?.pause();
    upstream.ticks.push(1);
    at.clock.advance(10 * heartbeatMs);
    await other.waitForLog(1);
    paused[0]?.flow?.resume();
    upstream.ticks.push(2);
    await other.waitForLog(2);
    expect(paused.map(({ receiver }) => receiver.log)).toEqual([[], []]);
    paused[1]?.cancel();
    expect(await paused[0]?.receiver.waitForLog(2)).toEqual(['{"tick":"1"}', '{"tick":"2"}']);
  });

  test('reads on for the other subscriptions of a socket when one that has ended is paused', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const [ended, other] = [at.subscribe(), at.subscribe()];
    await upstream.ticks.waitForListeners(2);
    ended.cancel();
    ended.flow?.pause();
    upstream.ticks.push(1);
    expect(await other.receiver.waitForLog(1)).toEqual(['{"tick":"1"}']);
  });

  test('reads nothing after the acknowledgement while a subscription is paused, and expects no heartbeats', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver, flow } = at.subscribe();
    flow?.pause();
    const socket = await upstream.next();
    await socket.waitForMessages(1);
    socket.acknowledge();
    const [, subscribe] = await socket.waitForMessages(2);
    expect(at.clock.pendingCount).toBe(0);
    flow?.resume();
    socket.send({ id: subscribe?.id, type: 'next', payload: { data: { tick: 1 } } });
    expect(await receiver.waitForLog(1)).toEqual(['{"tick":1}']);
  });

  test('delivers the errors and the size of an event', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe({ query: 'subscription { broken }' });
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.push(1);
    await receiver.waitForLog(1);
    expect(receiver.events).toEqual([
      {
        data: { broken: null },
        errors: [{ message: 'broken field', path: ['broken'] }],
        extensions: undefined,
        size: expect.any(Number),
      },
    ]);
    expect(receiver.events[0]?.size).toBeGreaterThan(80);
  });

  test('reports the errors with which the subgraph refuses an operation', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe({ query: 'subscription { nonsense }' });
    expect(await receiver.waitForLog(1)).toEqual([
      'error SUBGRAPH_ERROR [{"message":"Cannot query field \\"nonsense\\" on type \\"Subscription\\".","isRequestError":true}]',
    ]);
    expect(receiver.error?.message).toBe('A subgraph answered with an error.');
    await upstream.waitForOpenCount(0);
  });

  test('a failing subscription does not end others on the same socket', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe();
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.fail('source broke');
    const [news] = await receiver.waitForLog(1);
    expect(news).toBe('error SUBGRAPH_ERROR [{"message":"source broke"}]');
  });

  test('sends headers in the handshake and under `headers` of the connection_init payload, with the connection parameters', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    at.subscribe({
      headers: headers('authorization', 'Bearer 1'),
      connectionParams: { tenant: 'a', headers: { 'x-role': 'admin' } },
      traceHeaders: ['traceparent', '00-1-2-01'],
    });
    await upstream.ticks.waitForListeners(1);
    expect(upstream.handshakes[0]?.headers).toMatchObject({
      authorization: 'Bearer 1',
      'x-request-id': 'request-1',
      traceparent: '00-1-2-01',
      'sec-websocket-protocol': 'graphql-transport-ws',
    });
    expect(upstream.initPayloads).toEqual([{ tenant: 'a', headers: { authorization: 'Bearer 1' } }]);
  });

  test('a subscription that has ended is not kept in memory by the socket that it opened', async () => {
    class Supergraph {}
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const subscribeWith = (supergraph: Supergraph) =>
      at.subscribe({ currentOperation: () => ({ supergraph }) as unknown as PreparedOperation });
    const opener = subscribeWith(new Supergraph());
    const { receiver } = at.subscribe();
    await upstream.ticks.waitForListeners(2);
    opener.cancel();
    await upstream.ticks.waitForListeners(1);
    expect(await countRemaining(Supergraph)).toBe(0);
    upstream.ticks.push(1);
    expect(await receiver.waitForLog(1)).toEqual(['{"tick":"1"}']);
  });

  test('connects to an address with a fragment, which is not sent', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe();
    await upstream.ticks.waitForListeners(1);
    at.move(`${upstream.url}#reviews`);
    upstream.sockets[0]?.terminate();
    await receiver.waitForLog(1);
    at.clock.advance(firstDelayMs);
    await upstream.waitForOpenCount(1);
    expect(upstream.handshakes[1]?.url).toBe(upstream.handshakes[0]?.url);
  });

  test('sends the signature of the empty body in the handshake', async () => {
    await using upstream = await startGraphqlWsUpstream();
    const signing = { secret: 'secret', header: 'x-sig' };
    await using at = createSourceFixture(createGraphqlWsSource, upstream.url, { signing });
    at.subscribe();
    await upstream.ticks.waitForListeners(1);
    expect(upstream.handshakes[0]?.headers['x-sig']).toBe(
      `sha256=${createHmac('sha256', 'secret').update('').digest('hex')}`,
    );
  });

  test('a connection parameter named `headers` is dropped', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    at.subscribe({ connectionParams: { tenant: 'a', headers: { 'x-role': 'admin' } } });
    await upstream.ticks.waitForListeners(1);
    expect(upstream.initPayloads).toEqual([{ tenant: 'a' }]);
  });

  test('sends connection_init without a payload when there are no headers and no parameters', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    at.subscribe();
    await upstream.ticks.waitForListeners(1);
    expect(upstream.initPayloads).toEqual([undefined]);
  });

  test('shares one socket, which closes when the last subscription ends', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const first = at.subscribe();
    const second = at.subscribe();
    await upstream.ticks.waitForListeners(2);
    first.cancel();
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.push(1);
    expect(await second.receiver.waitForLog(1)).toEqual(['{"tick":"1"}']);
    expect(first.receiver.log).toEqual([]);
    second.cancel();
    second.cancel();
    await upstream.ticks.waitForListeners(0);
    await upstream.waitForOpenCount(0);
    expect(upstream.sockets).toHaveLength(1);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('uses separate sockets for different headers or connection parameters', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    at.subscribe({ headers: headers('authorization', 'a') });
    at.subscribe({ headers: headers('authorization', 'b') });
    at.subscribe({ headers: headers('authorization', 'b'), connectionParams: { tenant: 1 } });
    at.subscribe({ headers: headers('authorization', 'b'), connectionParams: { tenant: 1 } });
    await upstream.ticks.waitForListeners(4);
    expect(upstream.openCount).toBe(3);
  });

  test('a subscription that is too large for the server ends no small ones', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver: small } = at.subscribe();
    const socket = await upstream.next();
    socket.acknowledge();
    await socket.waitForMessages(2);
    const { receiver: large } = at.subscribe({ variables: { text: 'é'.repeat(4_000) } });
    const other = await upstream.next();
    other.acknowledge();
    await other.waitForMessages(2);
    // Message too big.
    other.socket.close(1009);
    expect(await large.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    socket.send({ id: '1', type: 'complete' });
    expect(await small.waitForLog(1)).toEqual(['complete']);
  });

  test('opens a new socket for a subscription that begins after the last one ended', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const first = at.subscribe();
    await upstream.ticks.waitForListeners(1);
    first.cancel();
    const second = at.subscribe();
    await upstream.ticks.waitForListeners(0);
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.push(2);
    expect(await second.receiver.waitForLog(1)).toEqual(['{"tick":"2"}']);
    expect(upstream.sockets).toHaveLength(2);
  });

  test('subscribes all subscriptions again after a lost connection, with one interruption each', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const first = at.subscribe();
    const second = at.subscribe();
    await upstream.ticks.waitForListeners(2);
    upstream.sockets[0]?.terminate();
    await Promise.all([first.receiver.waitForLog(1), second.receiver.waitForLog(1)]);
    await upstream.ticks.waitForListeners(0);
    at.clock.advance(firstDelayMs);
    await Promise.all([first.receiver.waitForLog(2), second.receiver.waitForLog(2)]);
    await upstream.ticks.waitForListeners(2);
    upstream.ticks.push(3);
    const news = ['interrupted SUBGRAPH_UNREACHABLE', 'resubscribed', '{"tick":"3"}'];
    expect(await first.receiver.waitForLog(3)).toEqual(news);
    expect(await second.receiver.waitForLog(3)).toEqual(news);
    expect(upstream.sockets).toHaveLength(2);
  });

  test('a cancel during the reconnection delay leaves no timer and opens no socket', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver, cancel } = at.subscribe();
    await upstream.ticks.waitForListeners(1);
    upstream.sockets[0]?.terminate();
    await receiver.waitForLog(1);
    cancel();
    expect(at.clock.pendingCount).toBe(0);
    at.clock.advance(60_000);
    await waitForTurns(5);
    expect(upstream.sockets).toHaveLength(1);
  });

  test('closing the source ends all subscriptions without notifying receivers', async () => {
    await using upstream = await startGraphqlWsUpstream();
    const at = sourceOf(upstream.url);
    const { receiver } = at.subscribe();
    at.subscribe({ headers: headers('authorization', 'a') });
    await upstream.ticks.waitForListeners(2);
    await at.source.close();
    await upstream.waitForOpenCount(0);
    expect(receiver.log).toEqual([]);
    expect(at.clock.pendingCount).toBe(0);
    expect(await at.subscribe().receiver.waitForLog(1)).toEqual(['error INTERNAL_SERVER_ERROR']);
  });

  test('a refused connection ends the subscription with an error', async () => {
    await using upstream = await startGraphqlWsUpstream(() => true);
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe();
    expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_ERROR']);
    expect(at.clock.pendingCount).toBe(0);
    expect(at.acceptedSubgraphs).toEqual([]);
  });

  test('a refusal during reconnection ends the subscription with an error', async () => {
    await using upstream = await startGraphqlWsUpstream((connection) => connection === 2);
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe();
    await upstream.ticks.waitForListeners(1);
    upstream.sockets[0]?.terminate();
    await receiver.waitForLog(1);
    at.clock.advance(firstDelayMs);
    expect(await receiver.waitForLog(2)).toEqual([
      'interrupted SUBGRAPH_UNREACHABLE',
      'error SUBGRAPH_ERROR',
    ]);
    expect(at.clock.pendingCount).toBe(0);
  });
});

/** An acknowledged socket that received one `subscribe`. */
async function established(
  at: SourceFixture,
  upstream: Awaited<ReturnType<typeof startScriptedWebSocketUpstream>>,
): Promise<ScriptedSocket & { receiver: RecordingReceiver; cancel: () => void }> {
  const { receiver, cancel } = at.subscribe();
  const server = await upstream.next();
  await server.waitForMessages(1);
  server.acknowledge();
  await server.waitForMessages(2);
  return { ...server, receiver, cancel };
}

const next = (tick: number | string, id = '1') => ({ type: 'next', id, payload: { data: { tick } } });

describe('connections that end at every stage', () => {
  test('a cancel before the end of the handshake leaves no resources', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver, cancel } = at.subscribe();
    cancel();
    await at.source.close();
    await upstream.waitForOpenCount(0);
    expect(receiver.log).toEqual([]);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('a cancel before the acknowledgement closes the socket', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver, cancel } = at.subscribe();
    const server = await upstream.next();
    await server.waitForMessages(1);
    cancel();
    expect(await server.closeCode).toBe(1000);
    expect(server.messages).toEqual([{ type: 'connection_init' }]);
    expect(receiver.log).toEqual([]);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('a cancel between events sends `complete` and closes the socket', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
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
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    server.receiver.onLogEntry = server.cancel;
    server.send(next(1));
    server.send(next(2));
    expect(await server.closeCode).toBe(1000);
    expect(server.receiver.log).toEqual(['{"tick":1}']);
  });

  test('events of an ended subscription are ignored', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
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
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url, { heartbeatMs: 0 });
    const { receiver } = at.subscribe();
    const server = await upstream.next();
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
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url, { heartbeatMs: 0 });
    const server = await established(at, upstream);
    server.socket.terminate();
    await server.receiver.waitForLog(1);
    at.clock.advance(firstDelayMs);
    (await upstream.next()).socket.terminate();
    await waitUntil(() => at.delaysMs.at(-1) === 2 * firstDelayMs);
    at.clock.advance(2 * firstDelayMs - 1);
    expect(upstream.handshakes).toHaveLength(2);
    at.clock.advance(1);
    (await upstream.next()).socket.terminate();
    expect(await server.receiver.waitForLog(2)).toEqual([
      'interrupted SUBGRAPH_UNREACHABLE',
      'error SUBGRAPH_UNREACHABLE',
    ]);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('reconnects to the current URL of the subgraph', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using next = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    at.move(next.url);
    server.socket.terminate();
    await server.receiver.waitForLog(1);
    at.clock.advance(firstDelayMs);
    const again = await next.next();
    again.acknowledge();
    expect((await again.waitForMessages(2))[1]).toMatchObject({ type: 'subscribe' });
  });

  test('reconnects to the earlier URL of the subgraph while the current one is invalid', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    at.move('http://:nonsense/');
    server.socket.terminate();
    await server.receiver.waitForLog(1);
    at.clock.advance(firstDelayMs);
    const again = await upstream.next();
    again.acknowledge();
    expect(await server.receiver.waitForLog(2)).toEqual(['interrupted SUBGRAPH_UNREACHABLE', 'resubscribed']);
  });

  test('fails without an interruption when reconnect.attempts is 0', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url, { reconnect: { attempts: 0, minDelayMs: 1, maxDelayMs: 1 } });
    const server = await established(at, upstream);
    server.socket.terminate();
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_UNREACHABLE']);
  });

  test('fails when the server accepts and drops every connection', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    let server: ScriptedSocket & { receiver: RecordingReceiver } = await established(at, upstream);
    const { receiver } = server;
    for (const delay of [firstDelayMs, 2 * firstDelayMs]) {
      server.socket.terminate();
      await receiver.waitForLog(receiver.log.length + 1);
      at.clock.advance(delay);
      server = { ...(await upstream.next()), receiver };
      server.acknowledge();
      await receiver.waitForLog(receiver.log.length + 1);
    }
    server.socket.terminate();
    expect((await receiver.waitForLog(5)).slice(-1)).toEqual(['error SUBGRAPH_UNREACHABLE']);
  });

  test('an event resets the count of attempts', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url, { reconnect: { attempts: 1, minDelayMs: 10, maxDelayMs: 1000 } });
    let server: ScriptedSocket & { receiver: RecordingReceiver } = await established(at, upstream);
    const { receiver } = server;
    for (let round = 0; round < 3; round++) {
      server.socket.terminate();
      await receiver.waitForLog(3 * round + 1);
      at.clock.advance(10);
      server = { ...(await upstream.next()), receiver };
      server.acknowledge();
      await receiver.waitForLog(3 * round + 2);
      server.send(next(round));
      await receiver.waitForLog(3 * round + 3);
    }
    expect(receiver.log.filter((news) => news === 'resubscribed')).toHaveLength(3);
  });

  test('a subscription that begins during the reconnection delay is subscribed with the others', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    server.socket.terminate();
    await server.receiver.waitForLog(1);
    const later = at.subscribe();
    at.clock.advance(firstDelayMs);
    const again = await upstream.next();
    again.acknowledge();
    const messages = await again.waitForMessages(3);
    expect(messages.map(({ type, id }) => [type, id])).toEqual([
      ['connection_init', undefined],
      ['subscribe', '1'],
      ['subscribe', '2'],
    ]);
    again.send(next('late', '2'));
    expect(await later.receiver.waitForLog(1)).toEqual(['{"tick":"late"}']);
  });

  test('a subscription that begins during the reconnection delay fails after connectTimeout', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    const reconnect = { attempts: 5, minDelayMs: 60_000, maxDelayMs: 60_000 };
    await using at = sourceOf(upstream.url, { reconnect });
    const server = await established(at, upstream);
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
    [4408, 'interrupted SUBGRAPH_UNREACHABLE'],
    [4999, 'interrupted SUBGRAPH_UNREACHABLE'],
    [4401, 'error SUBGRAPH_ERROR'],
    [4403, 'error SUBGRAPH_ERROR'],
    [4500, 'error SUBGRAPH_ERROR'],
    [1011, 'error SUBGRAPH_ERROR'],
    [4400, 'error SUBGRAPH_INVALID_RESPONSE'],
    [4406, 'error SUBGRAPH_INVALID_RESPONSE'],
    [4409, 'error SUBGRAPH_INVALID_RESPONSE'],
    [4429, 'error SUBGRAPH_INVALID_RESPONSE'],
    [1002, 'error SUBGRAPH_INVALID_RESPONSE'],
  ])('reports a close with code %d', async (code, news) => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    server.socket.close(code);
    expect(await server.receiver.waitForLog(1)).toEqual([news]);
    expect(at.clock.pendingCount).toBe(news.startsWith('error') ? 0 : 1);
  });
});

/** A server that ends each socket on which a subscription has this query, and sends one event to each other one. */
async function startServerWithCulprit(query: string, end: (socket: ScriptedSocket) => void) {
  const upstream = await startScriptedWebSocketUpstream();
  const serve = async (): Promise<void> => {
    for (;;) {
      const socket = await upstream.next();
      socket.acknowledge();
      socket.socket.on('message', (data) => {
        const { type, id, payload } = JSON.parse(String(data));
        if (type === 'subscribe' && payload.query === query) end(socket);
        else if (type === 'subscribe') socket.send(next('fine', id));
      });
    }
  };
  void serve();
  return upstream;
}

const closeWith =
  (code: number) =>
  ({ socket }: ScriptedSocket) =>
    socket.close(code);

const isEnded = ({ receiver }: { readonly receiver: RecordingReceiver }) =>
  receiver.log.some((news) => news.startsWith('error'));

const isServed = ({ receiver }: { readonly receiver: RecordingReceiver }) =>
  receiver.log.at(-1) === '{"tick":"fine"}';

describe('a subscription that ends a shared socket', () => {
  const query = 'subscription { bad }';

  test.each([
    ['a close code', closeWith(4400)],
    ['an internal error', closeWith(1011)],
    ['an invalid message', ({ send }: ScriptedSocket) => send('{"type":"next"')],
    [
      'an event over twice the limit',
      ({ socket }: ScriptedSocket) => socket.send(JSON.stringify(next('x'.repeat(30_000))), { fin: false }),
    ],
  ])('ends alone, and the others continue: %s', async (_, end) => {
    await using upstream = await startServerWithCulprit(query, end);
    await using at = sourceOf(upstream.url);
    const others = Array.from({ length: 3 }, () => at.subscribe());
    const culprit = at.subscribe({ query });
    others.push(...Array.from({ length: 3 }, () => at.subscribe()));
    await waitUntil(() => isEnded(culprit) && others.every(isServed));
    expect(others.filter(isEnded)).toEqual([]);
    // Three divisions of seven.
    expect(upstream.handshakes).toHaveLength(7);
    for (const { cancel } of others) cancel();
    await upstream.waitForOpenCount(0);
    expect(at.clock.pendingCount).toBe(0);
  });

  test.each<[string, (socket: ScriptedSocket) => void]>([
    ['without a close frame', ({ socket }) => socket.terminate()],
    ['with the code of a restart', closeWith(1012)],
  ])('ends alone also when the server ends each connection %s', async (_, end) => {
    await using upstream = await startServerWithCulprit(query, end);
    await using at = sourceOf(upstream.url, {
      heartbeatMs: 0,
      connectTimeoutMs: 1_000_000,
      reconnect: { attempts: 2, minDelayMs: 1, maxDelayMs: 1_000_000 },
    });
    const others = Array.from({ length: 3 }, () => at.subscribe());
    const culprit = at.subscribe({ query });
    others.push(...Array.from({ length: 3 }, () => at.subscribe()));
    await waitUntil(() => {
      at.clock.advance(2);
      return isEnded(culprit) && others.every(isServed);
    });
    expect(others.filter(isEnded)).toEqual([]);
    const handshakes = upstream.handshakes.length;
    expect(at.subscribe().receiver.log).toEqual([]);
    await waitUntil(() => upstream.handshakes.length === handshakes + 1);
  });

  test('is not suspected when a server ends connections that have lasted', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url, { heartbeatMs: 0 });
    const all = [at.subscribe(), at.subscribe()];
    for (let connection = 0; connection < 5; connection++) {
      const socket = await upstream.next();
      socket.acknowledge();
      await socket.waitForMessages(3);
      at.clock.advance(10_000);
      socket.socket.terminate();
      await waitUntil(() =>
        all.every(({ receiver }) => receiver.log.at(-1)?.startsWith('interrupted') === true),
      );
      at.clock.advance(firstDelayMs);
    }
    await upstream.next();
    expect(upstream.handshakes).toHaveLength(6);
  });

  test('shares no socket with others when it begins again', async () => {
    await using upstream = await startServerWithCulprit(query, closeWith(4400));
    await using at = sourceOf(upstream.url);
    const [first, culprit] = [at.subscribe(), at.subscribe({ query })];
    await waitUntil(() => isEnded(culprit) && isServed(first));
    const second = at.subscribe();
    await waitUntil(() => isServed(second));
    const again = at.subscribe({ query });
    await waitUntil(() => isEnded(again));
    expect(second.receiver.log).toEqual(['{"tick":"fine"}']);
    expect(again.receiver.log).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
  });

  test('leaves others that can be paused and cancelled', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const [paused, other] = [at.subscribe(), at.subscribe()];
    const socket = await upstream.next();
    socket.acknowledge();
    await socket.waitForMessages(3);
    socket.socket.close(4400);
    const half = await upstream.next();
    const otherHalf = await upstream.next();
    paused.flow?.pause();
    half.acknowledge();
    await half.waitForMessages(2);
    half.send(next('fine', '1'));
    otherHalf.acknowledge();
    await otherHalf.waitForMessages(2);
    otherHalf.send(next('fine', '2'));
    await waitUntil(() => isServed(other));
    await waitForTurns(3);
    expect(paused.receiver.log).toEqual(['interrupted SUBGRAPH_INVALID_RESPONSE', 'resubscribed']);
    paused.flow?.resume();
    await waitUntil(() => isServed(paused));
    paused.cancel();
    expect(await half.closeCode).toBe(1000);
    expect(upstream.openCount).toBe(1);
  });

  test.each([
    ['with a code that concerns the connection', 4403, { attempts: 2, minDelayMs: 1, maxDelayMs: 1 }],
    ['without reconnections', 4400, { attempts: 0, minDelayMs: 1, maxDelayMs: 1 }],
  ])('ends the others %s', async (_, code, reconnect) => {
    await using upstream = await startServerWithCulprit(query, closeWith(code));
    await using at = sourceOf(upstream.url, { reconnect });
    const all = [at.subscribe(), at.subscribe({ query })];
    await waitUntil(() => all.every(isEnded));
    expect(upstream.handshakes).toHaveLength(1);
  });

  test('is not searched for without limit when a server ends all sockets', async () => {
    await using upstream = await startServerWithCulprit(query, closeWith(4400));
    await using at = sourceOf(upstream.url);
    const all = Array.from({ length: 100 }, () => at.subscribe({ query }));
    await waitUntil(() => all.every(isEnded));
    // The first one, and two for each of 16 divisions.
    expect(upstream.handshakes).toHaveLength(33);
    expect(at.clock.pendingCount).toBe(0);
  });
});

describe('missing heartbeats', () => {
  test('a silent socket is pinged, then counts as lost', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    // The first interval has activity: the acknowledgement.
    at.clock.advance(3 * heartbeatMs);
    expect((await server.waitForMessages(4)).slice(2)).toEqual([{ type: 'ping' }, { type: 'ping' }]);
    at.clock.advance(heartbeatMs);
    expect(server.receiver.log).toEqual(['interrupted SUBGRAPH_UNREACHABLE']);
    await server.closeCode;
  });

  test('a socket that answers pings stays connected', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    for (let interval = 0; interval < 4; interval++) {
      at.clock.advance(heartbeatMs);
      server.send({ type: 'pong' });
      server.send(next(interval));
      await server.receiver.waitForLog(interval + 1);
    }
    expect(server.receiver.log).toEqual([0, 1, 2, 3].map((tick) => `{"tick":${tick}}`));
  });

  test('answers pings of the subgraph with their payload', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    server.send({ type: 'ping' });
    server.send({ type: 'ping', payload: { at: 7 } });
    expect((await server.waitForMessages(4)).slice(2)).toEqual([
      { type: 'pong' },
      { type: 'pong', payload: { at: 7 } },
    ]);
  });
});

test('pings are not answered while a subgraph does not read the answers, and the subscription continues', async () => {
  await using upstream = await startScriptedWebSocketUpstream();
  await using at = sourceOf(upstream.url, { maxEventBytes: 1_000_000 });
  const server = await established(at, upstream);
  const payload = { text: 'x'.repeat(1_000_000) };
  const sent = 60;
  server.socket.pause();
  for (let index = 0; index < sent; index++) server.send({ type: 'ping', payload });
  server.send(next(1));
  await server.receiver.waitForLog(1);
  server.socket.resume();
  server.send({ type: 'ping', payload: {} });
  server.send(next(2));
  expect(await server.receiver.waitForLog(2)).toEqual(['{"tick":1}', '{"tick":2}']);
  server.cancel();
  await server.closeCode;
  const pongs = server.messages.filter(({ type }) => type === 'pong');
  // What the sockets of the system hold differs between machines.
  expect(pongs.length).toBeLessThan(sent / 2);
});

describe('protocol violations', () => {
  test.each([
    ['no JSON', '{"type":"next"'],
    ['an unknown type', { type: 'data', id: '1', payload: {} }],
    ['a message of clients', { type: 'subscribe', id: '1', payload: { query: '{a}' } }],
    ['an acknowledgement too many', { type: 'connection_ack' }],
    ['an event without an id', { type: 'next', payload: { data: {} } }],
    ['errors that are none', { type: 'error', id: '1', payload: {} }],
    // With a key that is a number, JSON.stringify recurses.
    ['a deeply nested ping', `{"type":"ping","payload":{"1":${'['.repeat(5000)}${']'.repeat(5000)}}}`],
  ])('%s ends the socket', async (_, message) => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    server.send(message);
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    await server.closeCode;
    expect(at.clock.pendingCount).toBe(0);
  });

  test('a binary message ends the socket', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    server.socket.send(Buffer.from(JSON.stringify(next(1))));
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
  });

  test('an event before the acknowledgement ends the socket', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe();
    (await upstream.next()).send(next(1));
    expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
  });

  test.each([
    ['neither data nor errors', {}],
    ['data that is a list', { data: [] }],
    ['an event that is too large', { data: { tick: 'x'.repeat(11_000) } }],
  ])('%s ends its own subscription only', async (_, payload) => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    const other = at.subscribe();
    await server.waitForMessages(3);
    server.send({ type: 'next', id: '1', payload });
    server.send(next('fine', '2'));
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    expect(await other.receiver.waitForLog(1)).toEqual(['{"tick":"fine"}']);
    expect((await server.waitForMessages(4))[3]).toEqual({ id: '1', type: 'complete' });
  });

  test('an event over twice the limit closes the socket before it is buffered', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const server = await established(at, upstream);
    server.socket.send(JSON.stringify(next('x'.repeat(30_000))), { fin: false });
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    await server.closeCode;
    expect(at.clock.pendingCount).toBe(0);
  });

  test('a message in more fragments than one for each kB of an event and 256 ends the socket, because each can keep 64 kB of what arrived with it in memory', async () => {
    const maxFragments = 256 + 10;
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url, { maxEventBytes: 10 * 1024 });
    const server = await established(at, upstream);
    const send = (fragments: number): void => {
      server.socket.send(JSON.stringify(next(fragments)), { fin: false });
      for (let sent = 2; sent < fragments; sent += 1) server.socket.send(' ', { fin: false });
      server.socket.send(' ', { fin: true });
    };
    send(maxFragments);
    expect(await server.receiver.waitForLog(1)).toEqual([`{"tick":${maxFragments}}`]);
    send(maxFragments + 1);
    expect((await server.receiver.waitForLog(2))[1]).toBe('error SUBGRAPH_INVALID_RESPONSE');
    await server.closeCode;
  });

  test('an event that is nested too deep ends its own subscription', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url, { maxEventBytes: 1_000_000 });
    const server = await established(at, upstream);
    const deep = '['.repeat(50_000) + ']'.repeat(50_000);
    server.send(`{"type":"next","id":"1","payload":{"data":{"tick":${deep}}}}`);
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
  });

  test('an exception of one receiver does not affect others', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = sourceOf(upstream.url);
    const faulty = new RecordingReceiver();
    faulty.onLogEntry = () => {
      throw new Error('the receiver is broken');
    };
    at.subscribe({}, faulty);
    const other = at.subscribe();
    const server = await upstream.next();
    server.acknowledge();
    await server.waitForMessages(3);
    server.send(next(1, '1'));
    server.send(next(2, '2'));
    expect(await other.receiver.waitForLog(1)).toEqual(['{"tick":2}']);
  });
});
