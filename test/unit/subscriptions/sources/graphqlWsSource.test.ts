import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { PreparedOperation } from '../../../../gateway/operation/preparedOperation.ts';
import { firstDelayMs, heartbeatMs } from '../../../harness/sourceFixture.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import { WeakList } from '../../../harness/weakList.ts';
import { startReference, startScripted } from './graphqlWsFixture.ts';

const headers = (name: string, value: string) => ({ key: `${name}:${value}`, pairs: [name, value] });

describe('with the reference server', () => {
  test('delivers the events in order, then the completion', async () => {
    await using at = await startReference();
    const { receiver } = at.subscribe();
    await at.upstream.ticks.waitForListeners(1);
    at.upstream.ticks.push(1);
    at.upstream.ticks.push(2);
    at.upstream.ticks.end();
    expect(await receiver.waitForLog(3)).toEqual(['{"tick":"1"}', '{"tick":"2"}', 'complete']);
    await at.upstream.waitForOpenCount(0);
    expect(at.clock.pendingCount).toBe(0);
    expect(at.acceptedSubgraphs).toEqual(['reviews']);
  });

  test('stops reading a shared socket while one subscription is paused, and expects no heartbeats meanwhile', async () => {
    await using at = await startReference();
    const paused = [at.subscribe(), at.subscribe()];
    const { receiver: other } = at.subscribe({ headers: headers('authorization', 'other') });
    await at.upstream.ticks.waitForListeners(3);
    for (const { flow } of paused) flow?.pause();
    at.upstream.ticks.push(1);
    at.clock.advance(10 * heartbeatMs);
    await other.waitForLog(1);
    paused[0]?.flow?.resume();
    at.upstream.ticks.push(2);
    await other.waitForLog(2);
    expect(paused.map(({ receiver }) => receiver.log)).toEqual([[], []]);
    paused[1]?.cancel();
    expect(await paused[0]?.receiver.waitForLog(2)).toEqual(['{"tick":"1"}', '{"tick":"2"}']);
  });

  test('reads on for the other subscriptions of a socket when one that has ended is paused', async () => {
    await using at = await startReference();
    const [ended, other] = [at.subscribe(), at.subscribe()];
    await at.upstream.ticks.waitForListeners(2);
    ended.cancel();
    ended.flow?.pause();
    at.upstream.ticks.push(1);
    expect(await other.receiver.waitForLog(1)).toEqual(['{"tick":"1"}']);
  });

  test('reads nothing after the acknowledgement while a subscription is paused, and expects no heartbeats', async () => {
    await using at = await startScripted();
    const { receiver, flow } = at.subscribe();
    flow?.pause();
    const socket = await at.upstream.next();
    await socket.waitForMessages(1);
    socket.acknowledge();
    const [, subscribe] = await socket.waitForMessages(2);
    expect(at.clock.pendingCount).toBe(0);
    flow?.resume();
    socket.send({ id: subscribe?.id, type: 'next', payload: { data: { tick: 1 } } });
    expect(await receiver.waitForLog(1)).toEqual(['{"tick":1}']);
  });

  test('delivers the errors and the size of an event', async () => {
    await using at = await startReference();
    const { receiver } = at.subscribe({ query: 'subscription { broken }' });
    await at.upstream.ticks.waitForListeners(1);
    at.upstream.ticks.push(1);
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
    await using at = await startReference();
    const { receiver } = at.subscribe({ query: 'subscription { nonsense }' });
    expect(await receiver.waitForLog(1)).toEqual([
      'error SUBGRAPH_ERROR [{"message":"Cannot query field \\"nonsense\\" on type \\"Subscription\\".","isRequestError":true}]',
    ]);
    expect(receiver.error?.message).toBe('A subgraph answered with an error.');
    await at.upstream.waitForOpenCount(0);
  });

  test('a failing subscription does not end others on the same socket', async () => {
    await using at = await startReference();
    const { receiver } = at.subscribe();
    await at.upstream.ticks.waitForListeners(1);
    at.upstream.ticks.fail('source broke');
    const [news] = await receiver.waitForLog(1);
    expect(news).toBe('error SUBGRAPH_ERROR [{"message":"source broke"}]');
  });

  test('sends headers in the handshake and under `headers` of the connection_init payload, with the connection parameters', async () => {
    await using at = await startReference();
    at.subscribe({
      headers: headers('authorization', 'Bearer 1'),
      connectionParams: { tenant: 'a', headers: { 'x-role': 'admin' } },
      traceHeaders: ['traceparent', '00-1-2-01'],
    });
    await at.upstream.ticks.waitForListeners(1);
    expect(at.upstream.handshakes[0]?.headers).toMatchObject({
      authorization: 'Bearer 1',
      'x-request-id': 'request-1',
      traceparent: '00-1-2-01',
      'sec-websocket-protocol': 'graphql-transport-ws',
    });
    expect(at.upstream.initPayloads).toEqual([{ tenant: 'a', headers: { authorization: 'Bearer 1' } }]);
  });

  test('a subscription that has ended is not kept in memory by the socket that it opened', async () => {
    const supergraphs = new WeakList();
    await using at = await startReference();
    const subscribeWith = (supergraph: object) =>
      at.subscribe({ currentOperation: () => ({ supergraph }) as unknown as PreparedOperation });
    const opener = subscribeWith(supergraphs.add({}));
    const { receiver } = at.subscribe();
    await at.upstream.ticks.waitForListeners(2);
    opener.cancel();
    await at.upstream.ticks.waitForListeners(1);
    expect(await supergraphs.countRemaining()).toBe(0);
    at.upstream.ticks.push(1);
    expect(await receiver.waitForLog(1)).toEqual(['{"tick":"1"}']);
  });

  test('connects to an address with a fragment, which is not sent', async () => {
    await using at = await startReference();
    const { receiver } = at.subscribe();
    await at.upstream.ticks.waitForListeners(1);
    at.move(`${at.upstream.url}#reviews`);
    at.upstream.sockets[0]?.terminate();
    await receiver.waitForLog(1);
    at.clock.advance(firstDelayMs);
    await at.upstream.waitForOpenCount(1);
    expect(at.upstream.handshakes[1]?.url).toBe(at.upstream.handshakes[0]?.url);
  });

  test('sends the signature of the empty body in the handshake', async () => {
    const signing = { secret: 'secret', header: 'x-sig' };
    await using at = await startReference(undefined, { signing });
    at.subscribe();
    await at.upstream.ticks.waitForListeners(1);
    expect(at.upstream.handshakes[0]?.headers['x-sig']).toBe(
      `sha256=${createHmac('sha256', 'secret').update('').digest('hex')}`,
    );
  });

  test('a connection parameter named `headers` is dropped', async () => {
    await using at = await startReference();
    at.subscribe({ connectionParams: { tenant: 'a', headers: { 'x-role': 'admin' } } });
    await at.upstream.ticks.waitForListeners(1);
    expect(at.upstream.initPayloads).toEqual([{ tenant: 'a' }]);
  });

  test('sends connection_init without a payload when there are no headers and no parameters', async () => {
    await using at = await startReference();
    at.subscribe();
    await at.upstream.ticks.waitForListeners(1);
    expect(at.upstream.initPayloads).toStrictEqual([undefined]);
  });

  test('shares one socket, which closes when the last subscription ends', async () => {
    await using at = await startReference();
    const first = at.subscribe();
    const second = at.subscribe();
    await at.upstream.ticks.waitForListeners(2);
    first.cancel();
    await at.upstream.ticks.waitForListeners(1);
    at.upstream.ticks.push(1);
    expect(await second.receiver.waitForLog(1)).toEqual(['{"tick":"1"}']);
    expect(first.receiver.log).toEqual([]);
    second.cancel();
    second.cancel();
    await at.upstream.ticks.waitForListeners(0);
    await at.upstream.waitForOpenCount(0);
    expect(at.upstream.sockets).toHaveLength(1);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('uses separate sockets for different headers or connection parameters', async () => {
    await using at = await startReference();
    at.subscribe({ headers: headers('authorization', 'a') });
    at.subscribe({ headers: headers('authorization', 'b') });
    at.subscribe({ headers: headers('authorization', 'b'), connectionParams: { tenant: 1 } });
    at.subscribe({ headers: headers('authorization', 'b'), connectionParams: { tenant: 1 } });
    await at.upstream.ticks.waitForListeners(4);
    expect(at.upstream.openCount).toBe(3);
  });

  test('a subscription that is too large for the server ends no small ones', async () => {
    await using at = await startScripted();
    const { receiver: small } = at.subscribe();
    const socket = await at.upstream.next();
    socket.acknowledge();
    await socket.waitForMessages(2);
    const { receiver: large } = at.subscribe({ variables: { text: 'é'.repeat(4_000) } });
    const other = await at.upstream.next();
    other.acknowledge();
    await other.waitForMessages(2);
    // Message too big.
    other.socket.close(1009);
    expect(await large.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    socket.send({ id: '1', type: 'complete' });
    expect(await small.waitForLog(1)).toEqual(['complete']);
  });

  test('opens a new socket for a subscription that begins after the last one ended', async () => {
    await using at = await startReference();
    const first = at.subscribe();
    await at.upstream.ticks.waitForListeners(1);
    first.cancel();
    const second = at.subscribe();
    await at.upstream.ticks.waitForListeners(0);
    await at.upstream.ticks.waitForListeners(1);
    at.upstream.ticks.push(2);
    expect(await second.receiver.waitForLog(1)).toEqual(['{"tick":"2"}']);
    expect(at.upstream.sockets).toHaveLength(2);
  });

  test('subscribes all subscriptions again after a lost connection, with one interruption each', async () => {
    await using at = await startReference();
    const first = at.subscribe();
    const second = at.subscribe();
    await at.upstream.ticks.waitForListeners(2);
    at.upstream.sockets[0]?.terminate();
    await Promise.all([first.receiver.waitForLog(1), second.receiver.waitForLog(1)]);
    await at.upstream.ticks.waitForListeners(0);
    at.clock.advance(firstDelayMs);
    await Promise.all([first.receiver.waitForLog(2), second.receiver.waitForLog(2)]);
    await at.upstream.ticks.waitForListeners(2);
    at.upstream.ticks.push(3);
    const news = ['interrupted SUBGRAPH_UNREACHABLE', 'resubscribed', '{"tick":"3"}'];
    expect(await first.receiver.waitForLog(3)).toEqual(news);
    expect(await second.receiver.waitForLog(3)).toEqual(news);
    expect(at.upstream.sockets).toHaveLength(2);
  });

  test('a cancel during the reconnection delay leaves no timer and opens no socket', async () => {
    await using at = await startReference();
    const { receiver, cancel } = at.subscribe();
    await at.upstream.ticks.waitForListeners(1);
    at.upstream.sockets[0]?.terminate();
    await receiver.waitForLog(1);
    cancel();
    expect(at.clock.pendingCount).toBe(0);
    at.clock.advance(60_000);
    await waitForTurns(5);
    expect(at.upstream.sockets).toHaveLength(1);
  });

  test('closing the source ends all subscriptions without notifying receivers', async () => {
    await using at = await startReference();
    const { receiver } = at.subscribe();
    at.subscribe({ headers: headers('authorization', 'a') });
    await at.upstream.ticks.waitForListeners(2);
    await at.source.close();
    await at.upstream.waitForOpenCount(0);
    expect(receiver.log).toEqual([]);
    expect(at.clock.pendingCount).toBe(0);
    expect(await at.subscribe().receiver.waitForLog(1)).toEqual(['error INTERNAL_SERVER_ERROR']);
  });

  test('a refused connection ends the subscription with an error', async () => {
    await using at = await startReference(() => true);
    const { receiver } = at.subscribe();
    expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_ERROR']);
    expect(at.clock.pendingCount).toBe(0);
    expect(at.acceptedSubgraphs).toEqual([]);
  });

  test('a refusal during reconnection ends the subscription with an error', async () => {
    await using at = await startReference((connection) => connection === 2);
    const { receiver } = at.subscribe();
    await at.upstream.ticks.waitForListeners(1);
    at.upstream.sockets[0]?.terminate();
    await receiver.waitForLog(1);
    at.clock.advance(firstDelayMs);
    expect(await receiver.waitForLog(2)).toEqual([
      'interrupted SUBGRAPH_UNREACHABLE',
      'error SUBGRAPH_ERROR',
    ]);
    expect(at.clock.pendingCount).toBe(0);
  });
});
