import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { connectTimeoutMs, firstDelayMs, heartbeatMs } from '../../../harness/sourceFixture.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import { waitUntil } from '../../../harness/waitUntil.ts';
import { createFormatFixture, formats, tick } from './httpStreamFixture.ts';
import { type OpenStream, startStreamUpstream } from './streamUpstream.ts';

describe.each(formats)('$name', (format) => {
  const { sourceOf, established, begun } = createFormatFixture(format);

  /** A subscription that has lost its connection, when its first attempt to reconnect begins. */
  async function interrupted(...[at, upstream]: Parameters<typeof established>) {
    const { receiver, stream } = await established(at, upstream);
    stream.exchange.reset();
    await receiver.waitForLog(1);
    at.clock.advance(firstDelayMs);
    return receiver;
  }

  describe('refusals', () => {
    test('reports GraphQL errors with status 200', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver } = at.subscribe();
      const { exchange } = await upstream.next();
      exchange.respond({
        headers: { 'content-type': 'application/json' },
        body: '{"errors":[{"message":"not for you","extensions":{"code":"FORBIDDEN"}}]}',
      });
      expect(await receiver.waitForLog(1)).toEqual([
        'error SUBGRAPH_ERROR [{"message":"not for you","extensions":{"code":"FORBIDDEN"}}]',
      ]);
      expect(receiver.error?.message).toBe('A subgraph answered with an error.');
      expect(at.clock.pendingCount).toBe(0);
    });

    test('reports GraphQL errors with status 400 from a response that is compressed although no coding was accepted', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver } = at.subscribe();
      const { exchange } = await upstream.next();
      exchange.respond({
        status: 400,
        headers: { 'content-type': 'application/graphql-response+json', 'content-encoding': 'gzip' },
        body: gzipSync('{"errors":[{"message":"no such field"}]}'),
      });
      expect(await receiver.waitForLog(1)).toEqual([
        'error SUBGRAPH_ERROR [{"message":"no such field","failureStatus":400}]',
      ]);
      expect(receiver.error?.extensions).toEqual({ http: { status: 400 } });
    });

    test.each([
      [404, 'SUBGRAPH_ERROR'],
      [503, 'SUBGRAPH_UNREACHABLE'],
      [302, 'SUBGRAPH_ERROR'],
    ])('reports status %d without a GraphQL answer', async (status, code) => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver } = at.subscribe();
      const { exchange } = await upstream.next();
      exchange.respond({ status, headers: { 'content-type': 'text/html' }, body: '<h1>no</h1>' });
      expect(await receiver.waitForLog(1)).toEqual([`error ${code}`]);
      expect(receiver.error?.extensions).toEqual({ http: { status } });
      expect(at.clock.pendingCount).toBe(0);
    });

    test.each([
      ['a single result', 'application/json', '{"data":{"tick":1}}'],
      ['nothing', 'application/json', ''],
      ['HTML', 'text/html', '<h1>hello</h1>'],
    ])('refuses %s instead of a stream', async (_, type, body) => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver } = at.subscribe();
      (await upstream.next()).exchange.respond({ headers: { 'content-type': type }, body });
      expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
    });

    test('refuses a stream that is compressed although no coding was accepted', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver } = at.subscribe();
      const stream = await upstream.next();
      stream.begin(format.contentType, 'content-encoding: gzip\r\n');
      stream.write(gzipSync(format.start));
      // Without waiting for the end of the stream, which may be hours away.
      expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
      expect(receiver.error?.cause).toMatchObject({
        message: 'the stream is compressed (gzip), although identity was requested',
      });
      await stream.request.connectionClosed;
    });

    test('refuses an answer over the event size', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver } = at.subscribe();
      const stream = await upstream.next();
      stream.begin('application/json');
      stream.write('x'.repeat(11_000));
      expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
      await stream.request.connectionClosed;
    });

    test.each(['before', 'within'])('one that hangs %s its answer', async (moment) => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver } = at.subscribe();
      const stream = await upstream.next();
      if (moment === 'within') {
        stream.begin('application/json');
        stream.write('{"errors":');
        await waitForTurns(10);
      }
      at.clock.advance(connectTimeoutMs);
      expect(receiver.log).toEqual(['error SUBGRAPH_TIMEOUT']);
      expect(receiver.error?.message).toContain('(subscriptions.connectTimeout)');
      await stream.request.connectionClosed;
      expect(at.clock.pendingCount).toBe(0);
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
  });

  describe('lost connections', () => {
    test.each([
      ['a reset', (stream: OpenStream) => stream.exchange.reset()],
      ['an end of the connection', (stream: OpenStream) => stream.exchange.end()],
      ['an end of the answer without an end of the stream', (stream: OpenStream) => stream.finish()],
      [
        'half an event',
        (stream: OpenStream) => {
          stream.write(format.event(tick(1)).slice(0, -12));
          stream.exchange.end();
        },
      ],
    ])('subscribes again after %s', async (_, lose) => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver, stream } = await established(at, upstream);
      lose(stream);
      await receiver.waitForLog(1);
      at.clock.advance(firstDelayMs);
      const again = await begun(upstream);
      await receiver.waitForLog(2);
      again.write(format.event(tick(2)));
      expect(await receiver.waitForLog(3)).toEqual([
        'interrupted SUBGRAPH_UNREACHABLE',
        'resubscribed',
        '{"tick":2}',
      ]);
      expect(again.request.body).toBe(stream.request.body);
    });

    test('reconnects to the current URL of the subgraph, or to the last known one', async () => {
      await using upstream = await startStreamUpstream();
      await using next = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver, stream } = await established(at, upstream);
      at.move(next.url);
      stream.exchange.reset();
      await receiver.waitForLog(1);
      at.clock.advance(firstDelayMs);
      const again = await begun(next);
      await receiver.waitForLog(2);
      again.write(format.event(tick(2)));
      await receiver.waitForLog(3);
      at.move(undefined);
      again.exchange.reset();
      await receiver.waitForLog(4);
      at.clock.advance(firstDelayMs);
      await begun(upstream);
      expect((await receiver.waitForLog(5)).at(-1)).toBe('resubscribed');
    });

    test('fails after reconnect.attempts attempts, with one interruption', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const receiver = await interrupted(at, upstream);
      (await upstream.next()).exchange.respond({ status: 503, body: '' });
      await waitUntil(() => at.delaysMs.at(-1) === 2 * firstDelayMs);
      at.clock.advance(2 * firstDelayMs);
      (await upstream.next()).exchange.reset();
      expect(await receiver.waitForLog(2)).toEqual([
        'interrupted SUBGRAPH_UNREACHABLE',
        'error SUBGRAPH_UNREACHABLE',
      ]);
      expect(at.clock.pendingCount).toBe(0);
    });

    test('a refusal ends the attempts to reconnect', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const receiver = await interrupted(at, upstream);
      (await upstream.next()).exchange.respond({ status: 401, body: '' });
      expect((await receiver.waitForLog(2))[1]).toBe('error SUBGRAPH_ERROR');
      expect(at.clock.pendingCount).toBe(0);
    });

    test('status 429 does not end the attempts to reconnect', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const receiver = await interrupted(at, upstream);
      (await upstream.next()).exchange.respond({ status: 429, body: '' });
      await waitUntil(() => at.delaysMs.at(-1) === 2 * firstDelayMs);
      at.clock.advance(2 * firstDelayMs);
      (await begun(upstream)).write(format.event(tick(2)));
      expect((await receiver.waitForLog(3)).slice(1)).toEqual(['resubscribed', '{"tick":2}']);
    });

    test('three intervals without heartbeats are a lost connection, two are not', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver, stream } = await established(at, upstream);
      stream.write(format.event(tick(1)));
      await receiver.waitForLog(1);
      // The first interval has activity: the event.
      at.clock.advance(3 * heartbeatMs);
      expect(receiver.log).toHaveLength(1);
      stream.write(format.heartbeat + format.event(tick(2)));
      await receiver.waitForLog(2);
      at.clock.advance(3 * heartbeatMs);
      expect(receiver.log).toHaveLength(2);
      at.clock.advance(heartbeatMs);
      expect(receiver.log[2]).toBe('interrupted SUBGRAPH_UNREACHABLE');
      await stream.request.connectionClosed;
    });

    test('a silent connection stays when the heartbeat interval is 0', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url, { heartbeatMs: 0 });
      await established(at, upstream);
      expect(at.clock.pendingCount).toBe(0);
    });
  });

  describe('protocol violations', () => {
    test.each([
      ['no JSON', format.nonsense],
      ['no result', format.event({})],
      ['no object', format.event([1])],
      ['data that is a list', format.event({ data: [] })],
      ['bytes that are no UTF-8', Buffer.from(format.event(tick('é')), 'latin1')],
      ['an event that is too large', format.event(tick('x'.repeat(11_000)))],
      ['a flood without an end', 'x'.repeat(30_000)],
      ['a flood of an event', format.event(tick('x'.repeat(30_000))).slice(0, 20_000)],
    ])('%s ends the subscription and its connection', async (_, bytes) => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver, stream } = await established(at, upstream);
      stream.write(bytes);
      stream.write(format.event(tick(2)));
      expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_INVALID_RESPONSE']);
      await stream.request.connectionClosed;
      expect(at.clock.pendingCount).toBe(0);
    });
  });
});
