import { afterEach, describe, expect, test } from '@jest/globals';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { TokenAuthentication } from '../../gateway/admission/authentication/tokenAuthentication.ts';
import { createIdentityReader } from '../../gateway/admission/identity.ts';
import { parseConfig } from '../../gateway/config/parseConfig.ts';
import { createGateway, type GatewayOptions } from '../../gateway/gateway.ts';
import type { ResponseCaching } from '../../gateway/response/responseCaching.ts';
import { createLogger } from '../../gateway/telemetry/logger.ts';
import { createMetrics } from '../../gateway/telemetry/metrics.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { exchange, RawConnection, type RawRequest, type RawResponse } from '../harness/rawHttp.ts';
import {
  ScriptedEvents,
  ScriptedPayloads,
  type ScriptedServer,
  singleOutcome,
  startScriptedServer,
} from '../harness/scriptedServer.ts';
import { nextEvent, openStream, operationRequest, reserveStream } from '../harness/singleConnection.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { startTokenIssuer } from '../harness/tokenIssuer.ts';
import { Peer } from '../harness/webSocketPeer.ts';

const startedAt = 1_800_000_000_000;
const seconds = startedAt / 1_000;
const query = '{ greeting }';
const subscription = 'subscription { greetings }';
const json = { 'content-type': 'application/json', accept: 'application/json' };

const issuer = disposeAfterSuite(await startTokenIssuer());

afterEach(() => issuer.answerWith(undefined));

type JwtOptions = Omit<NonNullable<NonNullable<GatewayOptions['security']>['jwt']>, 'issuers'>;

interface Authenticated extends AsyncDisposable {
  readonly server: ScriptedServer;
  readonly timers: FakeTimers;
  readonly events: ScriptedEvents;
  readonly payloads: ScriptedPayloads;
  /** What was logged. */
  readonly lines: readonly string[];
  metrics(): Promise<string>;
}

/** The real server with a scripted pipeline, whose tokens come from the issuer. `caching`: that of plain responses. */
async function start(options: JwtOptions = {}, caching?: ResponseCaching): Promise<Authenticated> {
  const timers = new FakeTimers();
  const lines: string[] = [];
  const { registry, text } = createMetrics();
  const { security } = parseConfig({
    supergraph: { file: 'supergraph.graphql' },
    security: { jwt: { issuers: [{ jwks: issuer.jwks, issuer: 'https://login.test/' }], ...options } },
  });
  if (security.jwt === undefined) throw new Error('No tokens are configured.');
  const authentication = new TokenAuthentication({
    jwt: security.jwt,
    readIdentity: createIdentityReader(security.identity),
    timers,
    now: () => startedAt + timers.now(),
    log: createLogger('info', { write: (line) => lines.push(line) }),
    metrics: { registry },
  });
  const events = new ScriptedEvents();
  const payloads = new ScriptedPayloads();
  const server = await startScriptedServer(
    ({ document }) => {
      const text = document.loc?.source.body ?? '';
      if (text.startsWith('subscription')) return events.outcome;
      return text.includes('@defer') ? payloads.outcome : singleOutcome('{"greeting":"hello"}', { caching });
    },
    { authentication, timers, heartbeatIntervalMs: 10_000_000 },
  );
  return {
    server,
    timers,
    events,
    payloads,
    lines,
    metrics: text,
    [Symbol.asyncDispose]: async () => {
      await authentication.close();
      await server.close();
    },
  };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

const post = (headers: RawRequest['headers'] = {}, text = query): RawRequest => ({
  headers: { ...json, ...headers },
  body: JSON.stringify({ query: text }),
});

const errorOf = ({ body }: RawResponse) => JSON.parse(body).errors[0];

/** Status, code, reason and challenge of a refused request. */
function refusalOf(response: RawResponse): unknown[] {
  const { code, reason } = errorOf(response).extensions;
  return [response.status, code, reason, response.headers.get('www-authenticate')];
}

const expiredChallenge =
  'Bearer realm="graphql", error="invalid_token", error_description="The token has expired (exp)."';

/** Requests of every transport over HTTP. */
const httpRequests: readonly [string, (headers: RawRequest['headers']) => RawRequest][] = [
  ['POST', (headers) => post(headers)],
  [
    'GET',
    (headers) => ({
      method: 'GET',
      path: `/graphql?query=${encodeURIComponent(query)}`,
      headers: { accept: 'application/json', 'apollo-require-preflight': 'yes', ...headers },
    }),
  ],
  [
    'server-sent events by POST',
    (headers) => post({ accept: 'text/event-stream', ...headers }, subscription),
  ],
  [
    'server-sent events by GET',
    (headers) => ({
      method: 'GET',
      path: `/graphql?query=${encodeURIComponent(subscription)}`,
      headers: { accept: 'text/event-stream', 'apollo-require-preflight': 'yes', ...headers },
    }),
  ],
  [
    "Apollo's multipart protocol",
    (headers) => post({ accept: 'multipart/mixed;subscriptionSpec=1.0', ...headers }, subscription),
  ],
  ['incremental delivery', (headers) => post({ accept: 'multipart/mixed;deferSpec=20220824', ...headers })],
  ['the reservation of an event stream', (headers) => ({ method: 'PUT', headers: { ...headers } })],
  ['an operation on an event stream', (headers) => operationRequest('unknown', { query }, '1', headers)],
];

describe('A request with an invalid token', () => {
  test.each(httpRequests)('is refused with 401 over %s', async (_, requestWith) => {
    await using gateway = await start();
    const token = await issuer.sign({ sub: 'canary', exp: seconds - 60 });
    const response = await exchange(gateway.server.url, requestWith(bearer(token)));
    expect(refusalOf(response)).toEqual([401, 'UNAUTHENTICATED', 'expired', expiredChallenge]);
    expect(response.body).not.toContain(token.slice(-20));
    expect(gateway.server.receivedOperations).toEqual([]);
  });

  test('closes a WebSocket at connection_init with 4403, after which clients connect again', async () => {
    await using gateway = await start();
    await using peer = await Peer.open(gateway.server.url);
    const token = await issuer.sign({ exp: seconds - 60 });
    peer.send({ type: 'connection_init', payload: bearer(token) });
    expect(await peer.closed).toEqual({ code: 4403, reason: 'Forbidden: The token has expired (exp).' });
  });

  test('is counted by reason, and the token appears in no log line', async () => {
    await using gateway = await start();
    const tokens = [
      await issuer.sign({ sub: 'canary', exp: seconds - 60 }),
      'canary',
      `${'e30.'.repeat(2)}e30`,
    ];
    for (const token of tokens) await exchange(gateway.server.url, post(bearer(token)));
    expect(await gateway.metrics()).toMatch(
      /reason="malformed"\} 1\n[^#]*reason="unknown_issuer"\} 1\n[^#]*reason="unknown_key"\} 0\n[^#]*reason="expired"\} 1\n/,
    );
    expect(gateway.lines.concat(gateway.server.logLines)).toEqual([]);
  });
});

describe('A request without a token', () => {
  test('is anonymous unless tokens are required', async () => {
    await using gateway = await start();
    expect((await exchange(gateway.server.url, post())).status).toBe(200);
    expect((await exchange(gateway.server.url, post({ authorization: 'Basic YTpi' }))).status).toBe(200);
    expect(
      gateway.server.receivedOperations.map(({ caller }) => [caller.identity, caller.claims]),
    ).toStrictEqual([
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });

  test.each(httpRequests)('is refused with 401 over %s if tokens are required', async (_, requestWith) => {
    await using gateway = await start({ required: true, cookie: 'session' });
    const response = await exchange(gateway.server.url, requestWith({}));
    expect(refusalOf(response)).toEqual([401, 'UNAUTHENTICATED', 'missing', 'Bearer realm="graphql"']);
    expect(errorOf(response).message).toBe(
      'The request has no token, and this gateway needs one. Send it as `authorization: Bearer …`, or in the cookie session.',
    );
  });

  test('closes a WebSocket with 4403 if tokens are required', async () => {
    await using gateway = await start({ required: true });
    await using peer = await Peer.open(gateway.server.url);
    peer.send({ type: 'connection_init' });
    expect((await peer.closed).code).toBe(4403);
  });
});

describe('A request with a valid token', () => {
  const identity = '["https://login.test/","u1"]';

  test.each<[string, JwtOptions, (token: string) => Record<string, string>]>([
    ['the authorization header', {}, bearer],
    ['a header of its own', { header: 'x-token' }, (token) => ({ 'x-token': token })],
    ['a cookie', { cookie: 'session' }, (token) => ({ cookie: `a=b; session=${token}` })],
  ])('has the identity and the claims of the token in %s', async (_, options, headersWith) => {
    await using gateway = await start(options);
    const token = await issuer.sign({ sub: 'u1', scope: 'read' });
    expect((await exchange(gateway.server.url, post(headersWith(token)))).status).toBe(200);
    expect(gateway.server.receivedOperations[0]?.caller).toMatchObject({
      identity,
      claims: { iss: 'https://login.test/', sub: 'u1', scope: 'read' },
      clientKey: `identity ${identity}`,
    });
  });

  test.each<[string, JwtOptions, (token: string) => [object | undefined, WebSocket.ClientOptions]]>([
    ['a parameter', {}, (token) => [bearer(token), {}]],
    ['a parameter in another letter case', {}, (token) => [{ Authorization: `Bearer ${token}` }, {}]],
    ['a parameter of its own', { header: 'x-token' }, (token) => [{ 'x-token': token }, {}]],
    ['a header among the parameters', {}, (token) => [{ headers: bearer(token) }, {}]],
    ['a header of the handshake', {}, (token) => [undefined, { headers: bearer(token) }]],
    [
      'a cookie of the handshake',
      { cookie: 'session' },
      (token) => [undefined, { headers: { cookie: `session=${token}` } }],
    ],
  ])('has the identity of the token in %s of a WebSocket', async (_, options, connect) => {
    await using gateway = await start({ required: true, ...options });
    const [payload, handshake] = connect(await issuer.sign({ sub: 'u1' }));
    await using peer = await Peer.ready(gateway.server.url, payload, handshake);
    peer.subscribe(query);
    expect(await peer.next()).toMatchObject({ type: 'next' });
    expect(gateway.server.receivedOperations[0]?.caller.identity).toBe(identity);
  });

  test('may not be cached for other clients by caches that do not verify tokens', async () => {
    const caching = { cacheControl: 'public, max-age=60', age: '0', vary: 'x-shop' };
    await using gateway = await start({ cookie: 'session' }, caching);
    const headersFor = async (headers: RawRequest['headers']) => {
      const { headers: received } = await exchange(gateway.server.url, post(headers));
      return [received.get('cache-control'), received.get('vary')];
    };
    const vary = 'accept, x-shop, authorization, cookie';
    expect(await headersFor({})).toEqual(['public, max-age=60', vary]);
    expect(await headersFor(bearer(await issuer.sign({})))).toEqual(['private, max-age=60', vary]);
  });
});

describe('When the keys of the issuer could never be fetched', () => {
  const breakIssuer = () =>
    issuer.answerWith((response) => {
      response.statusCode = 500;
      response.end();
    });

  test('a request with a token is refused with 503, and one without is served', async () => {
    breakIssuer();
    await using gateway = await start();
    const token = bearer(await issuer.sign({ sub: 'u1' }));
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { status, headers, body } = await exchange(gateway.server.url, post(token));
      expect([status, headers.get('retry-after'), headers.get('www-authenticate')]).toStrictEqual([
        503,
        '1',
        undefined,
      ]);
      expect(JSON.parse(body).errors[0]).toMatchObject({
        message: expect.stringContaining('could not fetch the keys of their issuer'),
        extensions: { code: 'AUTHENTICATION_UNAVAILABLE' },
      });
    }
    expect((await exchange(gateway.server.url, post())).status).toBe(200);
    await using peer = await Peer.open(gateway.server.url);
    peer.send({ type: 'connection_init', payload: token });
    expect((await peer.closed).code).toBe(1013);
    // One line for the outage, not one for each request.
    expect(gateway.lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({
        jwks: issuer.jwks,
        hasKeys: false,
        msg: expect.stringContaining('cannot be fetched'),
      }),
    ]);
    expect(await gateway.metrics()).toContain('tributary_jwks_failures_total{');
    issuer.answerWith(undefined);
    gateway.timers.advance(1_000);
    expect((await exchange(gateway.server.url, post(token))).status).toBe(200);
  });
});

describe('When the token of a client expires', () => {
  const expiresIn60s = () => issuer.sign({ sub: 'u1', exp: seconds + 55 });
  const error = {
    message: 'The token has expired (exp). Send the operation again with a new one.',
    extensions: { reason: 'expired', code: 'UNAUTHENTICATED' },
  };

  test('a subscription as server-sent events ends with an error and `complete`', async () => {
    await using gateway = await start();
    await using connection = await RawConnection.open(gateway.server.url);
    connection.send(post({ ...bearer(await expiresIn60s()), accept: 'text/event-stream' }, subscription));
    await connection.readHead();
    expect(await connection.readChunk()).toBe(':\n\n');
    gateway.timers.advance(59_999);
    gateway.events.push({ data: { greetings: 'hi' } });
    expect(await connection.readChunk()).toBe('event: next\ndata: {"data":{"greetings":"hi"}}\n\n');
    gateway.timers.advance(1);
    expect(await connection.readChunk()).toBe(
      `event: next\ndata: ${JSON.stringify({ errors: [error] })}\n\nevent: complete\ndata:\n\n`,
    );
    expect(await connection.readChunk()).toBeUndefined();
    await gateway.events.returned;
  });

  test("a subscription in Apollo's multipart protocol ends with an error and the closing delimiter", async () => {
    await using gateway = await start();
    await using connection = await RawConnection.open(gateway.server.url);
    const accept = 'multipart/mixed;subscriptionSpec=1.0';
    connection.send(post({ ...bearer(await expiresIn60s()), accept }, subscription));
    await connection.readHead();
    await connection.readChunk();
    gateway.timers.advance(60_000);
    expect(await connection.readChunk()).toBe(
      `\r\ncontent-type: application/json\r\n\r\n${JSON.stringify({ payload: null, errors: [error] })}\r\n--graphql--\r\n`,
    );
  });

  test('a deferred response ends with an error in its last payload', async () => {
    await using gateway = await start();
    await using connection = await RawConnection.open(gateway.server.url);
    const accept = 'multipart/mixed;deferSpec=20220824';
    connection.send(
      post({ ...bearer(await expiresIn60s()), accept }, '{ greeting ... @defer { node { id } } }'),
    );
    gateway.payloads.push([{ data: { greeting: 'hello' }, hasNext: true }]);
    await connection.readHead();
    expect(await connection.readChunk()).toContain('"hasNext":true');
    gateway.timers.advance(60_000);
    expect(await connection.readChunk()).toContain(
      `${JSON.stringify({ errors: [error], hasNext: false })}\r\n-----\r\n`,
    );
  });

  test('an operation on an event stream ends with an error, and the stream stays open', async () => {
    await using gateway = await start();
    const token = await reserveStream(gateway.server.url);
    await using stream = await openStream(gateway.server.url, token);
    const authorization = bearer(await expiresIn60s());
    await exchange(gateway.server.url, operationRequest(token, { query: subscription }, '1', authorization));
    gateway.timers.advance(60_000);
    expect(await stream.readChunk()).toContain(nextEvent({ errors: [error] }));
    await exchange(gateway.server.url, operationRequest(token, { query }, '2'));
    expect(await stream.readChunk()).toContain('"id":"2"');
  });

  test('the streams of a WebSocket end with an error, and further operations are refused', async () => {
    await using gateway = await start();
    await using peer = await Peer.ready(gateway.server.url, bearer(await expiresIn60s()));
    peer.subscribe(subscription);
    gateway.events.push({ data: { greetings: 'hi' } });
    expect(await peer.next()).toMatchObject({ type: 'next' });
    gateway.timers.advance(60_000);
    expect(await peer.next()).toEqual({ id: '1', type: 'error', payload: [error] });
    peer.subscribe(query, '2');
    expect(await peer.next()).toMatchObject({
      id: '2',
      type: 'error',
      payload: [{ extensions: { code: 'UNAUTHENTICATED', reason: 'expired' } }],
    });
  });
});

describe('A WebSocket client that renews its token', () => {
  test('keeps its subscription beyond the expiry of the first token', async () => {
    await using gateway = await start();
    await using peer = await Peer.ready(
      gateway.server.url,
      bearer(await issuer.sign({ sub: 'u1', exp: seconds + 60 })),
    );
    peer.subscribe(subscription);
    gateway.events.push({ data: { greetings: 'first' } });
    await peer.next();
    gateway.timers.advance(50_000);
    const renewed = await issuer.sign({ sub: 'u1', scope: 'more', exp: seconds + 600 });
    peer.send({ type: 'ping', payload: bearer(renewed) });
    expect(await peer.next()).toEqual({ type: 'pong', payload: { renewed: true } });
    gateway.timers.advance(60_000);
    gateway.events.push({ data: { greetings: 'second' } });
    expect(await peer.next()).toMatchObject({ payload: { data: { greetings: 'second' } } });
    peer.subscribe(query, '2');
    expect(await peer.next()).toMatchObject({ id: '2', type: 'next' });
    expect(gateway.server.receivedOperations.at(-1)?.caller.claims).toMatchObject({ scope: 'more' });
    await peer.next();
    gateway.timers.advance(600_000);
    expect(await peer.next()).toMatchObject({ id: '1', type: 'error' });
  });

  test('loses the streams that began with a scope which the new token lacks', async () => {
    await using gateway = await start();
    await using peer = await Peer.ready(
      gateway.server.url,
      bearer(await issuer.sign({ sub: 'u1', scope: 'read admin', exp: seconds + 60 })),
    );
    peer.subscribe(subscription);
    gateway.events.push({ data: { greetings: 'first' } });
    await peer.next();
    peer.send({ type: 'ping', payload: bearer(await issuer.sign({ sub: 'u1', scp: ['read'] })) });
    expect(await peer.next()).toEqual({ type: 'pong', payload: { renewed: true } });
    expect(await peer.next()).toEqual({
      id: '1',
      type: 'error',
      payload: [
        {
          message:
            'The new token lacks a scope of the one that the operation began with. Send the operation again.',
          extensions: { code: 'FORBIDDEN' },
        },
      ],
    });
    await gateway.events.returned;
    peer.subscribe(query, '2');
    expect(await peer.next()).toMatchObject({ id: '2', type: 'next' });
  });

  test('can be the client of graphql-ws, with a ping that it sends itself', async () => {
    await using gateway = await start();
    const [first, second] = [
      await issuer.sign({ sub: 'u1', exp: seconds + 60 }),
      await issuer.sign({ sub: 'u1' }),
    ];
    const connected = Promise.withResolvers<WebSocket>();
    const renewed = Promise.withResolvers<unknown>();
    const client = createClient({
      url: gateway.server.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: bearer(first),
      on: {
        connected: (socket) => connected.resolve(socket as WebSocket),
        pong: (_, payload) => renewed.resolve(payload),
      },
    });
    const events = client.iterate({ query: subscription });
    const next = events.next();
    (await connected.promise).send(JSON.stringify({ type: 'ping', payload: bearer(second) }));
    expect(await renewed.promise).toEqual({ renewed: true });
    gateway.timers.advance(120_000);
    gateway.events.push({ data: { greetings: 'hi' } });
    expect((await next).value).toEqual({ data: { greetings: 'hi' } });
    await events.return?.();
    await client.dispose();
  });

  test.each<[string, () => Promise<string>, string]>([
    ['of another user', () => issuer.sign({ sub: 'u2' }), 'Forbidden: the new token is of another client'],
    ['without a user', () => issuer.sign({}), 'Forbidden: the new token is of another client'],
    ['that has expired', () => issuer.sign({ sub: 'u1', exp: 1 }), 'Forbidden: The token has expired (exp).'],
  ])('is disconnected for a token %s', async (_, sign, reason) => {
    await using gateway = await start();
    await using peer = await Peer.ready(gateway.server.url, bearer(await issuer.sign({ sub: 'u1' })));
    peer.send({ type: 'ping', payload: bearer(await sign()) });
    expect(await peer.closed).toEqual({ code: 4403, reason });
  });

  test('stays connected with its present token if the key of the new one is not known yet', async () => {
    await using gateway = await start();
    await using peer = await Peer.ready(gateway.server.url, bearer(await issuer.sign({ sub: 'u1' })));
    const forged = await issuer.sign({ sub: 'u1' }, { kid: 'unknown' });
    peer.send({ type: 'ping', payload: bearer(forged) });
    expect(await peer.next()).toMatchObject({
      type: 'pong',
      payload: { errors: [{ extensions: { code: 'UNAUTHENTICATED', reason: 'unknown_key' } }] },
    });
    peer.subscribe(query);
    expect(await peer.next()).toMatchObject({ type: 'next' });
    await peer.next();
    gateway.timers.advance(1_000);
    await issuer.rotate();
    peer.send({ type: 'ping', payload: bearer(await issuer.sign({ sub: 'u1' })) });
    expect(await peer.next()).toEqual({ type: 'pong', payload: { renewed: true } });
  });

  test('may not send another token before the last one is verified', async () => {
    await using gateway = await start();
    await using peer = await Peer.ready(gateway.server.url, bearer(await issuer.sign({ sub: 'u1' })));
    const gate = issuer.hold();
    const token = await issuer.sign({ sub: 'u1' }, { kid: 'unknown' });
    for (let count = 0; count < 2; count += 1) peer.send({ type: 'ping', payload: bearer(token) });
    expect((await peer.closed).code).toBe(4400);
    gate.open();
  });

  test('gets the payload of any other ping back', async () => {
    await using gateway = await start();
    await using peer = await Peer.ready(gateway.server.url);
    for (const payload of [{ at: 1 }, { authorization: 7 }]) {
      peer.send({ type: 'ping', payload });
      expect(await peer.next()).toEqual({ type: 'pong', payload });
    }
    peer.send({ type: 'ping', payload: null });
    expect(await peer.next()).toEqual({ type: 'pong' });
  });
});

test('A gateway whose issuers have no audiences warns of their tokens for other applications, once', async () => {
  const lines: string[] = [];
  const issuers = [
    { jwks: issuer.jwks, issuer: 'https://login.test/' },
    { jwks: issuer.jwks, issuer: 'https://shop.test/', audiences: ['shop'] },
    { jwks: issuer.jwks, issuer: 'https://partner.test/' },
  ];
  const gateway = await createGateway(
    { supergraph: { load: () => undefined }, security: { jwt: { issuers } } },
    { logger: createLogger('warn', { write: (line) => lines.push(line) }) },
  );
  await gateway.close();
  const options = ['security.jwt.issuers[0].audiences', 'security.jwt.issuers[2].audiences'];
  const msg = 'Tokens that an issuer made for other applications are accepted: set audiences';
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ level: 40, msg, options }),
  ]);
});
