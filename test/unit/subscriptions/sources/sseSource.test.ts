import { describe, expect, test } from '@jest/globals';
import { createHandler } from 'graphql-sse/lib/use/http';
import { createSseSource } from '../../../../gateway/subscriptions/sources/sseSource.ts';
import {
  createSourceFixture,
  firstDelayMs,
  heartbeatMs,
  type SourceFixture,
} from '../../../harness/sourceFixture.ts';
import { startStreamUpstream } from './streamUpstream.ts';
import { startTickServer, testSubscription } from './tickServer.ts';

/** A subgraph with the reference server. */
const startReference = () => startTickServer('/graphql/stream', (schema) => createHandler({ schema }));

const sourceOf = (url: string): SourceFixture => createSourceFixture(createSseSource, url);

describe('with the reference server', () => {
  testSubscription(startReference, sourceOf);

  test('subscribes again after a lost connection', async () => {
    await using upstream = await startReference();
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe();
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.push(1);
    await receiver.waitForLog(1);
    upstream.cut();
    await receiver.waitForLog(2);
    await upstream.ticks.waitForListeners(0);
    at.clock.advance(firstDelayMs);
    await upstream.ticks.waitForListeners(1);
    await receiver.waitForLog(3);
    upstream.ticks.push(3);
    expect((await receiver.waitForLog(4)).slice(1)).toEqual([
      'interrupted SUBGRAPH_UNREACHABLE',
      'resubscribed',
      '{"tick":"3"}',
    ]);
  });

  test('reports the errors with which the subgraph refuses an operation', async () => {
    await using upstream = await startReference();
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe({ query: 'subscription { nonsense }' });
    const [news] = await receiver.waitForLog(1);
    expect(news).toContain('Cannot query field');
  });
});

test.each([
  ['no comments', ''],
  ['one to begin with', ':\n\n'],
])('a silent server that sent %s is not expected to send heartbeats', async (_, start) => {
  await using upstream = await startStreamUpstream();
  await using at = sourceOf(upstream.url);
  const { receiver } = at.subscribe();
  const stream = await upstream.next();
  stream.begin('text/event-stream');
  stream.write(`${start}data: {"data":{"tick":1}}\n\n`);
  await receiver.waitForLog(1);
  at.clock.advance(100 * heartbeatMs);
  expect(receiver.log).toEqual(['{"tick":1}']);
});

test('a server whose comments are farther apart than three intervals is not expected to send heartbeats', async () => {
  await using upstream = await startStreamUpstream();
  await using at = sourceOf(upstream.url);
  const { receiver } = at.subscribe();
  const stream = await upstream.next();
  stream.begin('text/event-stream');
  for (let count = 1; count <= 3; count++) {
    stream.write(`:\n\ndata: {"data":{"tick":${count}}}\n\n`);
    await receiver.waitForLog(count);
    at.clock.advance(5 * heartbeatMs);
  }
  expect(receiver.log).toEqual(['{"tick":1}', '{"tick":2}', '{"tick":3}']);
});

test('delivers events without a name, and ignores events with unknown names', async () => {
  await using upstream = await startStreamUpstream();
  await using at = sourceOf(upstream.url);
  const { receiver } = at.subscribe();
  const stream = await upstream.next();
  stream.begin('Text/Event-Stream');
  stream.write('event: ping\ndata: now\n\ndata: {"data":{"tick":1}}\n\nevent: complete\n\n');
  expect(await receiver.waitForLog(2)).toEqual(['{"tick":1}', 'complete']);
});
