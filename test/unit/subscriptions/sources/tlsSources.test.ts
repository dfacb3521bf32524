import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { useServer as serveGraphqlWs } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { createGraphqlWsSource } from '../../../../gateway/subscriptions/sources/graphqlWsSource.ts';
import { createSseSource } from '../../../../gateway/subscriptions/sources/sseSource.ts';
import { loopbackCertificate } from '../../../harness/loopbackCertificate.ts';
import { createSourceFixture } from '../../../harness/sourceFixture.ts';
import { createTickSchema, Ticks } from '../../../harness/ticks.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

const tls = { ca: loopbackCertificate.cert };

test('streams over HTTP/2 share a connection, and one that ends does not end others', async () => {
  const sessions: ServerHttp2Session[] = [];
  const streams: ServerHttp2Stream[] = [];
  const server = createSecureServer(loopbackCertificate);
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream: ServerHttp2Stream) => {
    streams.push(stream);
    stream.on('error', () => {});
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
    stream.write(':\n\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
  {
    await using at = createSourceFixture(createSseSource, url, { http2: true, tls });
    const first = at.subscribe();
    while (at.acceptedSubgraphs.length < 1) await waitForTurns();
    const others = [at.subscribe(), at.subscribe()];
    while (at.acceptedSubgraphs.length < 3) await waitForTurns();
    expect(sessions).toHaveLength(1);
    first.cancel();
    await once(streams[0] as ServerHttp2Stream, 'close');
    for (const stream of streams.slice(1)) stream.write('event: next\ndata: {"data":{"tick":1}}\n\n');
    for (const { receiver } of others) expect(await receiver.waitForLog(1)).toEqual(['{"tick":1}']);
    expect(first.receiver.log).toEqual([]);
  }
  server.close();
  await once(server, 'close');
});

test('a WebSocket over TLS trusts only the configured authorities', async () => {
  const ticks = new Ticks();
  const server = createServer(loopbackCertificate);
  const sockets = new WebSocketServer({ server });
  serveGraphqlWs({ schema: createTickSchema(ticks) }, sockets);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
  {
    await using at = createSourceFixture(createGraphqlWsSource, url, { tls });
    const { receiver } = at.subscribe();
    await ticks.waitForListeners(1);
    ticks.push(1);
    expect(await receiver.waitForLog(1)).toEqual(['{"tick":"1"}']);
    await using distrustful = createSourceFixture(createGraphqlWsSource, url);
    expect(await distrustful.subscribe().receiver.waitForLog(1)).toEqual(['error SUBGRAPH_UNREACHABLE']);
  }
  server.close();
  await once(server, 'close');
});
