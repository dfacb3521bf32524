import { describe, expect, test } from '@jest/globals';
import { RecordingReceiver } from '../../../harness/sourceFixture.ts';
import { established, next, startScripted } from './graphqlWsFixture.ts';

test('pings are not answered while a subgraph does not read the answers, and the subscription continues', async () => {
  await using at = await startScripted({ maxEventBytes: 1_000_000 });
  const server = await established(at);
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
    await using at = await startScripted();
    const server = await established(at);
    server.send(message);
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    await server.closeCode;
    expect(at.clock.pendingCount).toBe(0);
  });

  test('a binary message ends the socket', async () => {
    await using at = await startScripted();
    const server = await established(at);
    server.socket.send(Buffer.from(JSON.stringify(next(1))));
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
  });

  test('an event before the acknowledgement ends the socket', async () => {
    await using at = await startScripted();
    const { receiver } = at.subscribe();
    (await at.upstream.next()).send(next(1));
    expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
  });

  test.each([
    ['neither data nor errors', {}],
    ['data that is a list', { data: [] }],
    ['an event that is too large', { data: { tick: 'x'.repeat(11_000) } }],
  ])('%s ends its own subscription only', async (_, payload) => {
    await using at = await startScripted();
    const server = await established(at);
    const other = at.subscribe();
    await server.waitForMessages(3);
    server.send({ type: 'next', id: '1', payload });
    server.send(next('fine', '2'));
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    expect(await other.receiver.waitForLog(1)).toEqual(['{"tick":"fine"}']);
    expect((await server.waitForMessages(4))[3]).toEqual({ id: '1', type: 'complete' });
  });

  test('an event over twice the limit closes the socket before it is buffered', async () => {
    await using at = await startScripted();
    const server = await established(at);
    server.socket.send(JSON.stringify(next('x'.repeat(30_000))), { fin: false });
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    await server.closeCode;
    expect(at.clock.pendingCount).toBe(0);
  });

  test('a message in more fragments than one for each kB of an event and 256 ends the socket, because each can keep 64 kB of what arrived with it in memory', async () => {
    const maxFragments = 256 + 10;
    await using at = await startScripted({ maxEventBytes: 10 * 1024 });
    const server = await established(at);
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
    await using at = await startScripted({ maxEventBytes: 1_000_000 });
    const server = await established(at);
    const deep = '['.repeat(50_000) + ']'.repeat(50_000);
    server.send(`{"type":"next","id":"1","payload":{"data":{"tick":${deep}}}}`);
    expect(await server.receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
  });

  test('an exception of one receiver does not affect others', async () => {
    await using at = await startScripted();
    const faulty = new RecordingReceiver();
    faulty.onLogEntry = () => {
      throw new Error('the receiver is broken');
    };
    at.subscribe({}, faulty);
    const other = at.subscribe();
    const server = await at.upstream.next();
    server.acknowledge();
    await server.waitForMessages(3);
    server.send(next(1, '1'));
    server.send(next(2, '2'));
    expect(await other.receiver.waitForLog(1)).toEqual(['{"tick":2}']);
  });
});
