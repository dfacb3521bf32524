import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { createHandler } from 'graphql-sse/lib/use/http';
import { createSseSource } from '../../../../gateway/subscriptions/sources/sseSource.ts';
import { closeServer } from '../../../harness/closeServer.ts';
import {
  createSourceFixture,
  firstDelayMs,
  heartbeatMs,
  type SourceFixture,
} from '../../../harness/sourceFixture.ts';
import { createTickSchema, Ticks } from '../../../harness/ticks.ts';
import { startStreamUpstream } from './streamUpstream.ts';

interface GraphqlSseUpstream extends AsyncDisposable {
  readonly url: string;
  readonly ticks: Ticks;
  /** Closes every connection abruptly. */
  cut(): void;
}

/** A subgraph with the reference server. */
async function graphqlSseUpstream(): Promise<GraphqlSseUpstream> {
  const ticks = new Ticks();
  const server = createServer(createHandler({ schema: createTickSchema(ticks) }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql/stream`,
    ticks,
    cut: () => server.closeAllConnections(),
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}

const sourceOf = (url: string): SourceFixture => createSourceFixture(createSseSource, url);

describe('with the reference server', () => {
  test('delivers the events in order, then the completion', async () => {
    await using upstream = await graphqlSseUpstream();
    await using at = sourceOf(upstream.url);
    const { receiver } = at.subscribe();
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.push('é');
    upstream.ticks.push(2);
    upstream.ticks.end();
    expect(await receiver.waitForLog(3)).toEqual(['{"tick":"é"}', '{"tick":"2"}', 'complete']);
    expect(at.clock.pendingCount).toBe(0);
    expect(at.acceptedSubgraphs).toEqual(['reviews']);
  });

  test('a cancel ends the subscription at the subgraph', async () => {
    await using upstream = await graphqlSseUpstream();
    await using at = sourceOf(upstream.url);
    const { cancel } = at.subscribe();
    await upstream.ticks.waitForListeners(1);
    cancel();
    await upstream.ticks.waitForListeners(0);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('subscribes again after a lost connection', async () => {
    await using upstream = await graphqlSseUpstream();
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
    await using upstream = await graphqlSseUpstream();
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
