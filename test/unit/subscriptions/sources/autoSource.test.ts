import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { createHandler } from 'graphql-sse/lib/use/http';
import {
  createAutoSource,
  type ProtocolDetector,
} from '../../../../gateway/subscriptions/sources/autoSource.ts';
import type { SourceOptions } from '../../../../gateway/subscriptions/sources/subscriptionSource.ts';
import { closeServer } from '../../../harness/closeServer.ts';
import {
  connectTimeoutMs,
  createSourceFixture,
  firstDelayMs,
  type SourceFixture,
} from '../../../harness/sourceFixture.ts';
import { createTickSchema, Ticks } from '../../../harness/ticks.ts';
import { waitUntil } from '../../../harness/waitUntil.ts';
import {
  startGraphqlWsUpstream,
  startScriptedWebSocketUpstream,
} from '../../../harness/webSocketUpstream.ts';

interface HttpUpstream extends AsyncDisposable {
  readonly url: string;
  readonly server: Server;
  /** The `accept` headers of the answered requests, in order. */
  readonly accepts: (string | undefined)[];
}

/** Answers WebSocket handshakes with the same listener as other requests. */
async function httpUpstream(listener: RequestListener, port = 0): Promise<HttpUpstream> {
  const accepts: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    accepts.push(request.headers.upgrade ?? request.headers.accept);
    listener(request, response);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    server,
    accepts,
    [Symbol.asyncDispose]: () => closeServer(server),
  };
}

const json =
  (status: number, body: unknown): RequestListener =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

const multipart: RequestListener = (request, response) => {
  if (request.headers.accept?.startsWith('multipart/mixed') !== true) {
    json(406, {})(request, response);
    return;
  }
  response.setHeader('content-type', 'multipart/mixed; boundary=graphql');
  response.write('--graphql\r\n\r\n{"payload":{"data":{"tick":1}}}\r\n--graphql');
};

const accepts = {
  sse: 'text/event-stream',
  multipart: 'multipart/mixed;subscriptionSpec=1.0, application/json',
};

function autoSource(
  url: string,
): SourceFixture & { readonly chosen: string[]; readonly refused: unknown[]; find(): void } {
  const chosen: string[] = [];
  const refused: unknown[] = [];
  let finder: ProtocolDetector | undefined;
  const create = (options: SourceOptions) => {
    const source = createAutoSource({
      ...options,
      headersOf: (subgraph) => ({ key: subgraph, pairs: ['x-key', `of ${subgraph}`] }),
      onProtocolDetected: (subgraph, protocol) => chosen.push(`${subgraph} ${protocol}`),
      onNoProtocolDetected: (...report) => refused.push(report),
    });
    finder = source;
    return source;
  };
  return Object.assign(createSourceFixture(create, url), {
    chosen,
    refused,
    find: () => finder?.detect(['reviews']),
  });
}

describe('background detection', () => {
  test('detects a WebSocket without sending an operation', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = autoSource(upstream.url);
    at.find();
    const probed = await upstream.next();
    await probed.waitForMessages(1);
    probed.acknowledge();
    await probed.closeCode;
    expect(probed.messages).toEqual([
      { type: 'connection_init', payload: { headers: { 'x-key': 'of reviews' } } },
    ]);
    expect(upstream.handshakes[0]?.headers['x-key']).toBe('of reviews');
    expect([at.chosen, at.clock.pendingCount]).toEqual([['reviews graphql_ws'], 0]);
    at.find();
    at.subscribe();
    await upstream.next();
    expect(upstream.handshakes).toHaveLength(2);
  });

  test('detects server-sent events without a WebSocket, and the first subscription uses them', async () => {
    const ticks = new Ticks();
    await using upstream = await httpUpstream(createHandler({ schema: createTickSchema(ticks) }));
    await using at = autoSource(`${upstream.url}/stream`);
    at.find();
    await waitUntil(() => at.chosen.length === 1);
    expect([at.chosen, at.clock.pendingCount]).toEqual([['reviews sse'], 0]);
    const { receiver } = at.subscribe();
    await ticks.waitForListeners(1);
    ticks.push(1);
    expect(await receiver.waitForLog(1)).toEqual(['{"tick":"1"}']);
    expect(upstream.accepts).toEqual(['websocket', accepts.sse, accepts.sse]);
  });

  test('retries with growing delays while the subgraph is unavailable', async () => {
    const before = await httpUpstream(multipart);
    await using at = autoSource(before.url);
    const port = Number(new URL(before.url).port);
    await before[Symbol.asyncDispose]();
    at.find();
    await waitUntil(() => at.delaysMs.at(-1) === firstDelayMs);
    at.clock.advance(firstDelayMs);
    await waitUntil(() => at.delaysMs.at(-1) === 2 * firstDelayMs);
    await using upstream = await httpUpstream(multipart, port);
    at.clock.advance(2 * firstDelayMs);
    await waitUntil(() => at.chosen.length === 1);
    expect([at.chosen, at.clock.pendingCount]).toEqual([['reviews multipart'], 0]);
    expect(upstream.accepts).toEqual(['websocket', accepts.sse, accepts.multipart]);
  });

  test('detects nothing when the subgraph requires authentication', async () => {
    await using upstream = await httpUpstream(json(401, { errors: [{ message: 'who?' }] }));
    await using at = autoSource(upstream.url);
    at.find();
    await waitUntil(() => upstream.accepts.length === 1 && at.clock.pendingCount === 0);
    expect([upstream.accepts, at.chosen]).toEqual([['websocket'], []]);
  });

  test('detects nothing when the subgraph supports none of the protocols', async () => {
    await using upstream = await httpUpstream(json(200, { errors: [{ message: 'no subscriptions' }] }));
    await using at = autoSource(upstream.url);
    at.find();
    await waitUntil(() => upstream.accepts.length === 3 && at.clock.pendingCount === 0);
    expect(at.chosen).toEqual([]);
  });

  test('stops when the source is closed, or when other subgraphs are to be detected', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    const at = autoSource(upstream.url);
    at.find();
    const probed = await upstream.next();
    at.find();
    await probed.closeCode;
    await upstream.next();
    await at[Symbol.asyncDispose]();
    expect(at.clock.pendingCount).toBe(0);
  });
});

describe('protocol negotiation', () => {
  test('uses a WebSocket when the subgraph supports it', async () => {
    await using upstream = await startGraphqlWsUpstream();
    await using at = autoSource(upstream.url);
    const { receiver } = at.subscribe();
    await upstream.ticks.waitForListeners(1);
    upstream.ticks.push(1);
    upstream.ticks.end();
    expect(await receiver.waitForLog(2)).toEqual(['{"tick":"1"}', 'complete']);
    expect(at.chosen).toEqual(['reviews graphql_ws']);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('uses server-sent events without a WebSocket, and remembers the result', async () => {
    const ticks = new Ticks();
    await using upstream = await httpUpstream(createHandler({ schema: createTickSchema(ticks) }));
    await using at = autoSource(`${upstream.url}/stream`);
    const { receiver } = at.subscribe();
    await ticks.waitForListeners(1);
    ticks.push(1);
    expect(await receiver.waitForLog(1)).toEqual(['{"tick":"1"}']);
    const second = at.subscribe();
    await ticks.waitForListeners(2);
    ticks.push(1);
    expect(await second.receiver.waitForLog(1)).toEqual(['{"tick":"1"}']);
    expect(upstream.accepts).toEqual(['websocket', accepts.sse, accepts.sse]);
    expect(at.chosen).toEqual(['reviews sse']);
  });

  test('uses multipart when the subgraph supports neither WebSockets nor server-sent events', async () => {
    await using upstream = await httpUpstream(multipart);
    await using at = autoSource(upstream.url);
    const { receiver } = at.subscribe();
    expect(await receiver.waitForLog(1)).toEqual(['{"tick":1}']);
    expect(upstream.accepts).toEqual(['websocket', accepts.sse, accepts.multipart]);
    expect(at.chosen).toEqual(['reviews multipart']);
  });

  test('two simultaneous subscriptions use the same protocol', async () => {
    await using upstream = await httpUpstream(multipart);
    await using at = autoSource(upstream.url);
    const both = [at.subscribe(), at.subscribe()];
    for (const { receiver } of both) expect(await receiver.waitForLog(1)).toEqual(['{"tick":1}']);
    expect(at.chosen).toEqual(['reviews multipart']);
  });

  test('skips a WebSocket that does not answer', async () => {
    await using upstream = await startScriptedWebSocketUpstream();
    await using at = autoSource(upstream.url);
    const { receiver } = at.subscribe();
    const server = await upstream.next();
    await server.waitForMessages(1);
    at.clock.advance(connectTimeoutMs);
    // That server answers all other requests with 404.
    expect(await receiver.waitForLog(1)).toEqual(['error SUBGRAPH_ERROR']);
  });
});

describe('a subgraph that supports no protocol', () => {
  test('the error that the subgraph reported is passed on', async () => {
    await using upstream = await httpUpstream((request, response) =>
      request.headers.accept === accepts.sse
        ? json(400, { errors: [{ message: 'no such field' }] })(request, response)
        : json(404, {})(request, response),
    );
    await using at = autoSource(upstream.url);
    const { receiver } = at.subscribe();
    expect(await receiver.waitForLog(1)).toEqual([
      'error SUBGRAPH_ERROR [{"message":"no such field","failureStatus":400}]',
    ]);
    expect(at.chosen).toEqual([]);
    expect(at.clock.pendingCount).toBe(0);
  });

  test('the refusals of all protocols are reported once, until a protocol is detected', async () => {
    const html: RequestListener = (_, response) => response.writeHead(404).end('Not Found');
    let listener = html;
    await using upstream = await httpUpstream((request, response) => listener(request, response));
    await using at = autoSource(upstream.url);
    const subscribe = async (): Promise<void> => {
      const { receiver, cancel } = at.subscribe();
      await receiver.waitForLog(1);
      cancel();
    };
    const report = ['reviews', upstream.url, { graphql_ws: '404', sse: '404', multipart: '404' }];
    await subscribe();
    await subscribe();
    expect(at.refused).toEqual([report]);
    listener = multipart;
    await subscribe();
    listener = html;
    // The first one discards the detected protocol.
    await subscribe();
    await subscribe();
    expect(at.refused).toEqual([report, report]);
  });

  test('a refusal without a status is reported with the problem, and never with a message of the subgraph', async () => {
    await using upstream = await httpUpstream((request, response) =>
      request.headers.accept === accepts.sse
        ? json(200, { errors: [{ message: 'a secret' }] })(request, response)
        : json(200, { data: {} })(request, response),
    );
    await using at = autoSource(upstream.url);
    await at.subscribe().receiver.waitForLog(1);
    expect(at.refused).toEqual([
      [
        'reviews',
        upstream.url,
        {
          graphql_ws: '200',
          sse: 'SUBGRAPH_ERROR',
          multipart: 'the answer is a single result instead of a stream',
        },
      ],
    ]);
  });

  test.each([
    ['is unavailable', 503],
    ['requires authentication', 401],
  ])('nothing is reported while the subgraph %s', async (_, status) => {
    await using upstream = await httpUpstream((request, response) =>
      json(request.headers.accept === accepts.sse ? status : 404, {})(request, response),
    );
    await using at = autoSource(upstream.url);
    await at.subscribe().receiver.waitForLog(1);
    expect(at.refused).toEqual([]);
  });

  test('the next subscription tries all protocols again', async () => {
    let listener = json(503, {});
    await using upstream = await httpUpstream((request, response) => listener(request, response));
    await using at = autoSource(upstream.url);
    expect(await at.subscribe().receiver.waitForLog(1)).toEqual(['error SUBGRAPH_UNREACHABLE']);
    listener = multipart;
    expect(await at.subscribe().receiver.waitForLog(1)).toEqual(['{"tick":1}']);
    expect(upstream.accepts).toHaveLength(6);
  });
});

test('an error of the detected protocol is reported unchanged', async () => {
  await using upstream = await startGraphqlWsUpstream();
  await using at = autoSource(upstream.url);
  const { receiver } = at.subscribe({ query: 'subscription { nonsense }' });
  expect((await receiver.waitForLog(1))[0]).toContain('Cannot query field');
  expect(at.chosen).toEqual(['reviews graphql_ws']);
});

// Apollo Server answers the handshake of a WebSocket with 400.
test.each([406, 400])('a detected protocol that is refused with %i is discarded', async (status) => {
  let listener: RequestListener = multipart;
  await using upstream = await httpUpstream((request, response) => listener(request, response));
  await using at = autoSource(upstream.url);
  const first = at.subscribe();
  await first.receiver.waitForLog(1);
  first.cancel();
  const ticks = new Ticks();
  const handler = createHandler({ schema: createTickSchema(ticks) });
  listener = (request, response) =>
    request.headers.accept === accepts.sse
      ? handler(Object.assign(request, { url: '/graphql/stream' }), response)
      : json(status, {})(request, response);
  expect(await at.subscribe().receiver.waitForLog(1)).toEqual(['error SUBGRAPH_ERROR']);
  const again = at.subscribe();
  await ticks.waitForListeners(1);
  ticks.push(1);
  expect(await again.receiver.waitForLog(1)).toEqual(['{"tick":"1"}']);
  expect(at.chosen).toEqual(['reviews multipart', 'reviews sse']);
});

test('a detected protocol with which the subgraph refuses an operation with 400 is kept', async () => {
  let listener: RequestListener = multipart;
  await using upstream = await httpUpstream((request, response) => listener(request, response));
  await using at = autoSource(upstream.url);
  const first = at.subscribe();
  await first.receiver.waitForLog(1);
  first.cancel();
  listener = json(400, { errors: [{ message: 'invalid' }] });
  expect((await at.subscribe().receiver.waitForLog(1))[0]).toContain('invalid');
  listener = multipart;
  expect(await at.subscribe().receiver.waitForLog(1)).toEqual(['{"tick":1}']);
  expect(at.chosen).toEqual(['reviews multipart']);
});

test('a cancel during the negotiation leaves no resources', async () => {
  const { promise: isTried, resolve } = Promise.withResolvers<void>();
  const { promise: isGone, resolve: gone } = Promise.withResolvers<void>();
  await using upstream = await httpUpstream((request, response) => {
    if (request.headers.accept !== accepts.sse) return json(404, {})(request, response);
    response.on('close', gone);
    resolve();
  });
  await using at = autoSource(upstream.url);
  const { receiver, cancel } = at.subscribe();
  await isTried;
  cancel();
  await isGone;
  expect(receiver.log).toEqual([]);
  expect(at.clock.pendingCount).toBe(0);
  expect(upstream.accepts).toEqual(['websocket', accepts.sse]);
});
