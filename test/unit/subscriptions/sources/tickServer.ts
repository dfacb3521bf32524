import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import type { GraphQLSchema } from 'graphql';
import { closeServer } from '../../../harness/closeServer.ts';
import type { SourceFixture } from '../../../harness/sourceFixture.ts';
import { createTickSchema, Ticks } from '../../../harness/ticks.ts';

interface TickServer extends AsyncDisposable {
  readonly url: string;
  readonly ticks: Ticks;
  /** Closes every connection abruptly. */
  cut(): void;
}

/** Starts a subgraph that executes subscriptions to the events that a test pushes. */
export async function startTickServer(
  path: string,
  createListener: (schema: GraphQLSchema) => RequestListener,
): Promise<TickServer> {
  const ticks = new Ticks();
  const server = createServer(createListener(createTickSchema(ticks)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    ticks,
    cut: () => server.closeAllConnections(),
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}

/** The tests of a subscription to such a subgraph, for each protocol. */
export function testSubscription(
  start: () => Promise<TickServer>,
  sourceOf: (url: string) => SourceFixture,
): void {
  test('delivers the events in order, then the completion', async () => {
    await using upstream = await start();
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
    await using upstream = await start();
    await using at = sourceOf(upstream.url);
    const { cancel } = at.subscribe();
    await upstream.ticks.waitForListeners(1);
    cancel();
    await upstream.ticks.waitForListeners(0);
    expect(at.clock.pendingCount).toBe(0);
  });
}
