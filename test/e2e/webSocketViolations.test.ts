import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { ScriptedEvents, startScriptedServer } from '../harness/scriptedServer.ts';
import { Peer } from '../harness/webSocketPeer.ts';

describe('a WebSocket client that violates the protocol', () => {
  const init = { type: 'connection_init' };
  const subscribeMessage = { id: '1', type: 'subscribe', payload: { query: 'subscription { greetings }' } };
  const cases: [string, unknown[], number, string][] = [
    ['a message that is not JSON', ['{'], 4400, 'Invalid message: it is not JSON'],
    ['an array', [[]], 4400, 'Invalid message: Message is expected to be an object, but got array'],
    [
      'a message of an unknown type',
      [{ type: 'start' }],
      4400,
      `Invalid message: Invalid message 'type' property "start"`,
    ],
    [
      'an operation without a query',
      [init, { ...subscribeMessage, payload: {} }],
      4400,
      expect.stringContaining("'query'") as never,
    ],
    [
      'a batch',
      [init, { ...subscribeMessage, payload: [subscribeMessage.payload] }],
      4400,
      expect.stringContaining("'payload'") as never,
    ],
    [
      'a message type that only servers send',
      [init, { type: 'connection_ack' }],
      4400,
      'Invalid message: a client does not send "connection_ack"',
    ],
    [
      'an operation before connection_init',
      [subscribeMessage],
      4401,
      'Unauthorized: send connection_init first',
    ],
    [
      'an id that is too long',
      [init, { ...subscribeMessage, id: 'x'.repeat(1_001) }],
      4400,
      'Invalid message: the id has more than 1000 characters',
    ],
    [
      'an id that is in use',
      [init, subscribeMessage, subscribeMessage],
      4409,
      'Subscriber for 1 already exists',
    ],
    ['a second connection_init', [init, init], 4429, 'Too many initialisation requests'],
    ['a message that is too large', [init, 'x'.repeat(3000)], 1009, ''],
  ];
  test.each(cases)('is closed for %s', async (_, messages, code, reason) => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome, { limits: { bodySize: 2000 } });
    await using peer = await Peer.open(server.url);
    for (const message of messages) peer.send(message);
    expect(await peer.closed).toEqual({ code, reason });
  });

  test.each(['ping', 'connection_init'])('is closed for a %s with a deeply nested payload', async (type) => {
    await using server = await startScriptedServer();
    await using peer = await Peer.open(server.url);
    // With a key that is a number, JSON.stringify recurses.
    peer.send(`{"type":"${type}","payload":{"shop":{"1":${'['.repeat(10_000)}${']'.repeat(10_000)}}}}`);
    expect(await peer.closed).toEqual({
      code: 4400,
      reason: 'Invalid message: the payload is nested more than 100 levels deep',
    });
  });

  test.each([
    ['{', 'it is not JSON'],
    ['['.repeat(2_000), 'it is nested deeper than 1000 levels'],
  ])('is closed for a large message that cannot be parsed: %.1s', async (text, problem) => {
    await using server = await startScriptedServer();
    await using peer = await Peer.open(server.url);
    peer.send(`${text}${' '.repeat(200_000)}`);
    peer.send({ type: 'ping' });
    expect(await peer.closed).toEqual({ code: 4400, reason: `Invalid message: ${problem}` });
  });

  test.each([
    ['a small', 0],
    ['a large', 200_000],
  ])('is closed for %s binary message that is not valid UTF-8', async (_, padding) => {
    await using server = await startScriptedServer();
    await using peer = await Peer.ready(server.url);
    const text = JSON.stringify({
      ...subscribeMessage,
      payload: { query: 'query A($name: String) { greeting(name: $name) }', variables: { name: '\xff' } },
    });
    peer.socket.send(Buffer.from(text + ' '.repeat(padding), 'latin1'));
    expect(await peer.closed).toEqual({ code: 4400, reason: 'Invalid message: it is not valid UTF-8' });
  });

  test('is closed when it does not send connection_init in time', async () => {
    const timers = new FakeTimers();
    await using server = await startScriptedServer(undefined, { timers });
    await using peer = await Peer.open(server.url);
    peer.send({ type: 'ping' });
    await peer.next();
    timers.advance(10_000);
    expect(await peer.closed).toEqual({ code: 4408, reason: 'Connection initialisation timeout' });
  });

  test('is closed when it requests no subprotocol', async () => {
    await using server = await startScriptedServer();
    const socket = new WebSocket(server.url.replace('http', 'ws'));
    const [code, reason] = await once(socket, 'close');
    expect([code, String(reason)]).toEqual([
      4406,
      'Subprotocol not acceptable: ask for graphql-transport-ws',
    ]);
  });
});
