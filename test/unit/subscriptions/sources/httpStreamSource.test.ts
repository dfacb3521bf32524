import { describe, expect, test } from '@jest/globals';
import { heartbeatMs } from '../../../harness/sourceFixture.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';
import { createFormatFixture, formats, tick } from './httpStreamFixture.ts';
import { startStreamUpstream } from './streamUpstream.ts';

describe.each(formats)('$name', (format) => {
  const { sourceOf, established, begun } = createFormatFixture(format);

  test('posts the operation with the forwarded headers', async () => {
    await using upstream = await startStreamUpstream();
    await using at = sourceOf(upstream.url);
    at.subscribe({
      variables: { a: 1 },
      headers: { key: 'x', pairs: ['authorization', 'Bearer 1'] },
      traceHeaders: ['traceparent', '00-1-2-01'],
    });
    const { request } = await upstream.next();
    expect([request.method, request.path]).toEqual(['POST', '/graphql']);
    expect(JSON.parse(request.body)).toEqual({ query: 'subscription { tick }', variables: { a: 1 } });
    expect(Object.fromEntries(request.headers)).toMatchObject({
      'content-type': 'application/json',
      accept: format.accept,
      'accept-encoding': 'identity',
      'x-request-id': 'request-1',
      traceparent: '00-1-2-01',
      authorization: 'Bearer 1',
    });
  });

  test('stops reading while paused, and expects no heartbeats meanwhile', async () => {
    await using upstream = await startStreamUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver, stream, flow } = await established(at, upstream);
    flow?.pause();
    stream.write(format.event(tick(1)));
    // The first event was already in flight.
    await receiver.waitForLog(1);
    stream.write(format.event(tick(2)));
    at.clock.advance(10 * heartbeatMs);
    // This event arrives after the paused one would have.
    const { receiver: other } = at.subscribe();
    const otherStream = await begun(upstream);
    otherStream.write(format.event(tick(3)));
    await other.waitForLog(1);
    expect(receiver.log).toEqual(['{"tick":1}']);
    flow?.resume();
    expect(await receiver.waitForLog(2)).toEqual(['{"tick":1}', '{"tick":2}']);
  });

  test('delivers the events in order without the heartbeats between them, then the completion', async () => {
    await using upstream = await startStreamUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver, stream } = await established(at, upstream);
    stream.write(format.event(tick(1)) + format.heartbeat);
    stream.write(format.event({ data: null, errors: [{ message: 'no' }], extensions: { x: 1 } }));
    await receiver.waitForLog(2);
    stream.write(format.end);
    await receiver.waitForLog(3);
    expect(receiver.log).toEqual(['{"tick":1}', '{"errors":[{"message":"no"}]}', 'complete']);
    expect(receiver.events[1]).toEqual({
      data: null,
      errors: [{ message: 'no' }],
      extensions: { x: 1 },
      size: expect.any(Number),
    });
    await stream.request.connectionClosed;
    expect(at.clock.pendingCount).toBe(0);
  });

  test('delivers each event as soon as its bytes have arrived', async () => {
    await using upstream = await startStreamUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver, stream } = await established(at, upstream);
    for (let i = 1; i <= 3; i++) {
      stream.write(format.event(tick(i)));
      await receiver.waitForLog(i);
    }
    expect(receiver.log).toHaveLength(3);
  });

  test('delivers events that are split at every byte', async () => {
    await using upstream = await startStreamUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver, stream } = await established(at, upstream);
    for (const byte of Buffer.from(format.event(tick('é😀')))) stream.write(Buffer.from([byte]));
    expect(await receiver.waitForLog(1)).toEqual(['{"tick":"é😀"}']);
  });

  describe('ends by the gateway', () => {
    test('a cancel before the request is sent leaves no resources', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver, cancel } = at.subscribe();
      cancel();
      await waitForTurns(10);
      expect(upstream.subgraph.requests).toEqual([]);
      expect(receiver.log).toEqual([]);
      expect(at.clock.pendingCount).toBe(0);
    });

    test('a cancel before the answer leaves no resources', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver, cancel } = at.subscribe();
      const stream = await upstream.next();
      cancel();
      await stream.request.connectionClosed;
      expect(receiver.log).toEqual([]);
      expect(at.clock.pendingCount).toBe(0);
    });

    test('a cancel between events closes the connection', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver, cancel, stream } = await established(at, upstream);
      stream.write(format.event(tick(1)));
      await receiver.waitForLog(1);
      cancel();
      cancel();
      await stream.request.connectionClosed;
      expect(receiver.log).toEqual(['{"tick":1}']);
      expect(at.clock.pendingCount).toBe(0);
    });

    test('a cancel within onEvent closes the connection', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver, cancel, stream } = await established(at, upstream);
      receiver.onLogEntry = cancel;
      stream.write(format.event(tick(1)) + format.event(tick(2)) + format.end);
      await stream.request.connectionClosed;
      expect(receiver.log).toEqual(['{"tick":1}']);
    });

    test('a cancel during the reconnection delay leaves no timer', async () => {
      await using upstream = await startStreamUpstream();
      await using at = sourceOf(upstream.url);
      const { receiver, cancel, stream } = await established(at, upstream);
      stream.exchange.reset();
      await receiver.waitForLog(1);
      cancel();
      expect(at.clock.pendingCount).toBe(0);
      at.clock.advance(60_000);
      await waitForTurns(10);
      expect(upstream.subgraph.requests).toHaveLength(1);
    });

    test('closing the source ends all subscriptions without notifying receivers', async () => {
      await using upstream = await startStreamUpstream();
      const at = sourceOf(upstream.url);
      const { receiver, stream } = await established(at, upstream);
      const waiting = at.subscribe();
      await upstream.next();
      await at.source.close();
      await stream.request.connectionClosed;
      expect(receiver.log).toEqual([]);
      expect(waiting.receiver.log).toEqual([]);
      expect(at.clock.pendingCount).toBe(0);
      expect(await at.subscribe().receiver.waitForLog(1)).toEqual(['error INTERNAL_SERVER_ERROR']);
    });
  });
});
