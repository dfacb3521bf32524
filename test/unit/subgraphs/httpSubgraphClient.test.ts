import { stat } from 'node:fs';
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { SubgraphCallEvent } from '../../../gateway/subgraphs/httpSubgraphClient.ts';
import {
  bytes,
  chunked,
  type Exchange,
  type hang,
  json,
  reset,
  runAfter,
  type Script,
  type ScriptedSubgraph,
  startScriptedSubgraph,
  text,
} from '../../harness/scriptedSubgraph.ts';
import { attemptTimeoutMs, createClientFixture, deadlineMs, describeFailure } from './clientFixture.ts';

const ok = { data: { ok: true } };
const okResponse = {
  data: { ok: true },
  errors: undefined,
  extensions: undefined,
  cacheControl: undefined,
  age: undefined,
  isEscapeFree: true,
};

let subgraph: ScriptedSubgraph;

beforeEach(async () => {
  subgraph = await startScriptedSubgraph();
});

afterEach(() => subgraph.close());

/** An answer with any status. */
const answering =
  (status: number, body: string | Buffer, headers: Record<string, string> = {}) =>
  (exchange: Parameters<typeof hang>[0]): void =>
    exchange.respond({ status, headers: { 'content-type': 'application/json', ...headers }, body });

describe('a request to a subgraph', () => {
  test('has the body, the forwarded headers, the ids and the remaining time', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(json(ok));

    const answer = under.send({
      body: '{"query":"{größe}"}',
      headers: { key: 'k', pairs: ['authorization', 'Bearer a'] },
      traceHeaders: [
        'traceparent',
        '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        'tracestate',
        'vendor=1',
      ],
      deadline: under.clock.now() + 1234.9,
    });

    expect(await answer.outcome).toEqual(okResponse);
    const [request] = subgraph.requests;
    expect({
      ...request,
      headers: Object.fromEntries(request!.headers),
      connectionClosed: undefined,
    }).toEqual({
      method: 'POST',
      path: '/graphql',
      body: '{"query":"{größe}"}',
      connection: 1,
      connectionClosed: undefined,
      headers: {
        host: new URL(subgraph.url).host,
        connection: 'keep-alive',
        'content-type': 'application/json',
        'content-length': '21',
        accept: 'application/graphql-response+json, application/json;q=0.9',
        'x-request-id': 'request-1',
        authorization: 'Bearer a',
        'tributary-deadline-ms': '1234',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'vendor=1',
      },
    });
  });

  test('never has a remaining time of 0', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(json(ok));

    await under.send({ deadline: under.clock.now() + 0.3 }).outcome;

    expect(subgraph.requests[0]!.headers.get('tributary-deadline-ms')).toBe('1');
  });

  test('accepts compression of a subgraph whose address is not a loopback address', async () => {
    // Connects to this machine, too.
    await using under = createClientFixture(subgraph.url.replace('127.0.0.1', '0.0.0.0'));
    subgraph.enqueueScripts(json(ok));

    await under.send().outcome;

    expect(subgraph.requests[0]!.headers.get('accept-encoding')).toBe('gzip, br');
  });

  test('uses another connection when the last one is older than its limit', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1, maxConnectionAgeMs: 1 } });
    subgraph.setDefaultScript(json(ok));

    // The age is measured by a timer of the real clock.
    while (subgraph.requests.at(-1)?.connection !== 2) expect(await under.send().outcome).toEqual(okResponse);

    const used = subgraph.requests.map((request) => request.connection);
    expect(used).toEqual(used.toSorted());
  });

  test('reuses an idle connection', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    subgraph.setDefaultScript(json(ok));

    await under.send().outcome;
    await under.send().outcome;

    expect(subgraph.requests.map((request) => request.connection)).toEqual([1, 1]);
  });

  test('waits for a free connection if all are in use', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    const first = Promise.withResolvers<void>();
    subgraph.enqueueScripts(runAfter(first.promise, json({ data: { n: 1 } })), json({ data: { n: 2 } }));

    const answers = [under.send({ body: '1' }), under.send({ body: '2' })];
    await subgraph.waitForRequests(1);
    expect(subgraph.requests.length).toBe(1);
    first.resolve();

    expect(
      (await Promise.all(answers.map((answer) => answer.outcome))).map((one) => 'data' in one && one.data),
    ).toEqual([{ n: 1 }, { n: 2 }]);
    expect(subgraph.requests.map(({ connection, body }) => ({ connection, body }))).toEqual([
      { connection: 1, body: '1' },
      { connection: 1, body: '2' },
    ]);
  });
});

describe('a response of a subgraph', () => {
  test('may arrive in chunks that split a character', async () => {
    await using under = createClientFixture(subgraph.url);
    const body = Buffer.from('{"data":{"name":"Zoë"}}');
    const split = body.indexOf(0xc3) + 1;
    const gate = Promise.withResolvers<void>();
    subgraph.enqueueScripts(chunked([body.subarray(0, split), gate.promise, body.subarray(split)]));

    const answer = under.send();
    await subgraph.waitForRequests(1);
    gate.resolve();

    expect(await answer.outcome).toEqual({ ...okResponse, data: { name: 'Zoë' } });
  });

  test('reports whether a string in it is escaped', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(json({ data: { quote: 'a "word"' } }));

    expect(await under.send().outcome).toEqual({
      ...okResponse,
      data: { quote: 'a "word"' },
      isEscapeFree: false,
    });
  });

  test('has normalised errors, and a malformed entry is still an error', async () => {
    await using under = createClientFixture(subgraph.url);
    const errors = [
      { message: 'no stock', path: ['a', 0], extensions: { code: 'X' }, locations: [{ line: 1, column: 1 }] },
      { message: 'no field', locations: [{ line: 1, column: 1 }] },
      { message: 7, path: 'a.b' },
      'boom',
      null,
    ];
    subgraph.enqueueScripts(json({ data: null, errors, extensions: { cost: 1 } }));

    expect(await under.send().outcome).toEqual({
      data: null,
      errors: [
        { message: 'no stock', path: ['a', 0], extensions: { code: 'X' } },
        { message: 'no field', isRequestError: true },
        { message: 'The subgraph reported an error without a message.' },
        { message: 'The subgraph reported an error without a message.' },
        { message: 'The subgraph reported an error without a message.' },
      ],
      extensions: { cost: 1 },
      isEscapeFree: true,
    });
  });

  test('has no extensions that are nested more than 100 levels deep, and is not affected otherwise', async () => {
    await using under = createClientFixture(subgraph.url);
    const nested = (levels: number) => '{"1":'.repeat(levels) + 7 + '}'.repeat(levels);
    const error = (levels: number) => `{"message":"no stock","path":["a"],"extensions":${nested(levels)}}`;
    subgraph.enqueueScripts(
      text(`{"data":{"b":1},"errors":[${error(101)},${error(100)}],"extensions":${nested(10_000)}}`),
      text(`{"data":{"b":1},"extensions":${nested(10_000)}}`),
    );
    const known = { message: 'no stock', path: ['a'] };

    expect(await under.send().outcome).toEqual({
      ...okResponse,
      data: { b: 1 },
      errors: [known, { ...known, extensions: JSON.parse(nested(100)) }],
    });
    expect(await under.send().outcome).toEqual({ ...okResponse, data: { b: 1 } });
  });

  test.each(['["a",1e400]', '["a",-1]', '["a",0.5]', '["a",null]', '{"0":"a"}'])(
    'has errors without a path where it can be none: %s',
    async (path) => {
      await using under = createClientFixture(subgraph.url);
      subgraph.enqueueScripts(text(`{"errors":[{"message":"no","path":${path}}]}`));

      expect(await under.send().outcome).toEqual({
        ...okResponse,
        data: undefined,
        errors: [{ message: 'no' }],
      });
    },
  );

  test.each([
    [
      '400 in the GraphQL media type',
      answering(400, '{"errors":[{"message":"no"}]}', {
        'content-type': 'application/graphql-response+json; charset=utf-8',
      }),
      { failureStatus: 400 },
    ],
    [
      '500 with readable GraphQL errors in plain JSON',
      answering(500, '{"errors":[{"message":"no"}]}'),
      { failureStatus: 500 },
    ],
    ['200 with another content type', text('{"errors":[{"message":"no"}]}', 'text/plain'), {}],
    ['200 with a byte order mark', text('\ufeff{"errors":[{"message":"no"}]}'), {}],
  ])('is accepted as GraphQL: %s', async (_name, script, metadata) => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(script);

    expect(await under.send().outcome).toEqual({
      ...okResponse,
      data: undefined,
      errors: [{ message: 'no', ...metadata }],
      ...metadata,
    });
  });

  test('of a hundred kilobytes arrives completely', async () => {
    await using under = createClientFixture(subgraph.url, { at: { maxResponseBytes: 200_000 } });
    const data = { list: Array.from({ length: 5_000 }, (_, index) => `item number ${index}`) };
    subgraph.enqueueScripts(json({ data }));

    expect(await under.send().outcome).toEqual({ ...okResponse, data });
  });

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
  ])('is decompressed: %s', async (coding, compress) => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(answering(200, compress(JSON.stringify(ok)), { 'content-encoding': coding }));

    expect(await under.send().outcome).toEqual(okResponse);
  });

  test('with keys such as `__proto__` changes no other object', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(
      text('{"data":{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}},"__proto__":{"errors":[]}}'),
    );

    const outcome = await under.send().outcome;

    expect(outcome).toMatchObject({ errors: undefined, isEscapeFree: true });
    const data = 'data' in outcome ? outcome.data : undefined;
    expect(Object.keys(data ?? {})).toEqual(['__proto__', 'constructor']);
    expect('x' in {}).toBe(false);
  });
});

test('a result that a hook returns replaces a failed response, as a successful one', async () => {
  await using under = createClientFixture(subgraph.url, {
    hooks: { afterResponse: async ({ status }) => (status === 503 ? JSON.stringify(ok) : undefined) },
  });
  subgraph.enqueueScripts(
    answering(503, '<html>', { 'content-type': 'text/html' }),
    json({ data: { n: 1 } }),
  );

  expect(await under.send().outcome).toEqual(okResponse);
  expect(await under.send().outcome).toEqual({ ...okResponse, data: { n: 1 } });
});

describe('a failed call', () => {
  const invalid = (cause: unknown): unknown => ({
    code: 'SUBGRAPH_INVALID_RESPONSE',
    subgraph: 'reviews',
    extensions: {},
    cause,
  });

  test.each([
    ['invalid JSON', text('{"data":'), expect.stringContaining('Unexpected end of JSON input')],
    [
      'an HTML page',
      answering(200, '<p>secret</p>', { 'content-type': 'text/html' }),
      'the body is not JSON (content-type: text/html)',
    ],
    ['a list', text('[]'), 'the response is not a JSON object'],
    ['null', text('null'), 'the response is not a JSON object'],
    ['a string as data', text('{"data":"x"}'), '`data` is neither an object nor null'],
    ['a list as data', text('{"data":[]}'), '`data` is neither an object nor null'],
    ['errors that are no list', text('{"data":{},"errors":{}}'), '`errors` is not a list'],
    ['neither data nor errors', text('{"message":"hi"}'), 'the response has neither `data` nor `errors`'],
    ['an empty body', text(''), 'the body is empty'],
    ['no content', bytes('HTTP/1.1 204 No Content\r\n\r\n'), 'the body is empty'],
    ['bad UTF-8', text(Buffer.from('{"data":{"a":"\xff"}}', 'latin1')), 'the body is not UTF-8'],
    ['an unknown coding', answering(200, '{}', { 'content-encoding': 'zip' }), 'unknown content coding: zip'],
    [
      'two codings',
      answering(200, '{}', { 'content-encoding': 'gzip, br' }),
      'unknown content coding: gzip, br',
    ],
    ['broken gzip', answering(200, '{}', { 'content-encoding': 'gzip' }), 'incorrect header check'],
    [
      'truncated gzip',
      answering(200, gzipSync(JSON.stringify(ok)).subarray(0, -4), { 'content-encoding': 'gzip' }),
      'unexpected end of file',
    ],
    [
      'two different content lengths',
      bytes('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}'),
      expect.stringContaining('does not match'),
    ],
    [
      'the same content length twice',
      bytes('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}'),
      expect.stringContaining('does not match'),
    ],
    [
      'a length and chunks',
      bytes('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'),
      expect.stringContaining('does not match'),
    ],
    ['another protocol', bytes('SSH-2.0-OpenSSH_9.2\r\n\r\n'), expect.stringContaining('HTTP/1.1 protocol')],
  ])('has an invalid response: %s', async (_name, script, cause) => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(script);

    expect(await describeFailure(under.send())).toEqual(invalid(cause));
  });

  const tooLarge = 'the response is larger than 1000 bytes';
  const spaces = ' '.repeat(2_000);

  test.each([
    ['by its content length', bytes('HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n'), tooLarge],
    ['in chunks', chunked([spaces]), tooLarge],
    [
      'after decompression',
      answering(200, gzipSync(`{"data":null}${spaces}`), { 'content-encoding': 'gzip' }),
      'Cannot create a Buffer larger than 1000 bytes',
    ],
    [
      'after decompression (a bomb of 100 MB)',
      answering(
        200,
        // The default quality takes four seconds.
        brotliCompressSync(Buffer.alloc(100_000_000), { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } }),
        { 'content-encoding': 'br' },
      ),
      'Cannot create a Buffer larger than 1000 bytes',
    ],
  ])('has a response that is too large: %s', async (_name, script, cause) => {
    await using under = createClientFixture(subgraph.url, { at: { maxResponseBytes: 1_000 } });
    subgraph.enqueueScripts(script);

    expect(await describeFailure(under.send())).toEqual(invalid(cause));
  });

  test('with an endless response closes its connection', async () => {
    await using under = createClientFixture(subgraph.url, { at: { maxResponseBytes: 1_000 } });
    subgraph.enqueueScripts(chunked([spaces, new Promise(() => {})]));

    await under.send().outcome;

    await subgraph.requests[0]!.connectionClosed;
    expect(subgraph.requests.length).toBe(1);
  });

  test.each([
    [
      '503 from a proxy',
      answering(503, '<h1>no</h1>', { 'content-type': 'text/html' }),
      'SUBGRAPH_UNREACHABLE',
      503,
    ],
    ['500 with JSON of another kind', answering(500, '{"error":"no"}'), 'SUBGRAPH_UNREACHABLE', 500],
    ['500 with bad UTF-8', answering(500, Buffer.from([0xff])), 'SUBGRAPH_UNREACHABLE', 500],
    ['404', answering(404, ''), 'SUBGRAPH_ERROR', 404],
    ['429 with JSON of another kind', answering(429, '{"message":"slow down"}'), 'SUBGRAPH_ERROR', 429],
    ['a redirect', answering(307, JSON.stringify(ok), { location: '/elsewhere' }), 'SUBGRAPH_ERROR', 307],
  ])('reports the HTTP status: %s', async (_name, script, code, status) => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(script);

    expect(await describeFailure(under.send())).toEqual({
      code,
      subgraph: 'reviews',
      extensions: { http: { status } },
      cause: expect.any(String),
    });
    expect(subgraph.requests.length).toBe(1);
  });

  test.each([
    ['a reset', reset],
    ['an end without an answer', (exchange: Parameters<typeof hang>[0]) => exchange.end()],
    [
      'an end within the body',
      (exchange: Parameters<typeof hang>[0]) => {
        exchange.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"data":');
        exchange.end();
      },
    ],
    [
      'an end between chunks',
      (exchange: Parameters<typeof hang>[0]) => {
        exchange.write(
          'HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n',
        );
        exchange.end();
      },
    ],
  ])('reports a lost connection: %s', async (_name, script) => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(script);

    expect(await describeFailure(under.send())).toEqual({
      code: 'SUBGRAPH_UNREACHABLE',
      subgraph: 'reviews',
      extensions: {},
      cause: expect.any(String),
    });
    expect(subgraph.requests.length).toBe(1);
  });

  test('reports a refused connection', async () => {
    await subgraph.close();
    await using under = createClientFixture(subgraph.url);

    expect(await describeFailure(under.send())).toMatchObject({
      code: 'SUBGRAPH_UNREACHABLE',
      cause: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('reports a host name without an address', async () => {
    await using under = createClientFixture('http://reviews.invalid/graphql');

    expect(await describeFailure(under.send())).toMatchObject({ code: 'SUBGRAPH_UNREACHABLE' });
  });

  test('has a message with neither the name nor the address of the subgraph', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(reset);

    const outcome = await under.send().outcome;

    expect(outcome instanceof Error && outcome.message).toBe('A subgraph could not be reached.');
  });

  test('reports an endpoint that cannot be used', async () => {
    await using under = createClientFixture('not a url');

    expect(await describeFailure(under.send())).toMatchObject({
      code: 'INTERNAL_SERVER_ERROR',
      subgraph: 'reviews',
    });
  });
});

describe('the time limits of a call', () => {
  test('end an attempt that takes too long, and its connection', async () => {
    await using under = createClientFixture(subgraph.url);
    const answer = under.send();
    await subgraph.waitForRequests(1);

    under.clock.advance(attemptTimeoutMs - 1);
    expect(answer.callCount()).toBe(0);
    under.clock.advance(1);

    expect(await describeFailure(answer)).toMatchObject({ code: 'SUBGRAPH_TIMEOUT', subgraph: 'reviews' });
    await subgraph.requests[0]!.connectionClosed;
  });

  test('apply to a response that stops halfway', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(bytes('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"data":'));
    const answer = under.send();
    await subgraph.waitForRequests(1);

    under.clock.advance(attemptTimeoutMs);

    expect(await describeFailure(answer)).toMatchObject({ code: 'SUBGRAPH_TIMEOUT' });
  });

  test('report an earlier deadline with its own code', async () => {
    await using under = createClientFixture(subgraph.url);
    const answer = under.send({ deadline: under.clock.now() + 100 });
    await subgraph.waitForRequests(1);

    under.clock.advance(100);

    expect(await describeFailure(answer)).toMatchObject({ code: 'DEADLINE_EXCEEDED', subgraph: 'reviews' });
    await subgraph.requests[0]!.connectionClosed;
  });

  test('prevent a request whose deadline has passed from being sent', async () => {
    await using under = createClientFixture(subgraph.url);

    const answer = under.send({ deadline: under.clock.now() });

    expect(answer.callCount()).toBe(0);
    expect(await describeFailure(answer)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(subgraph.requests.length).toBe(0);
  });

  test('include waiting for a free connection, and the overdue request is never sent', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    const first = Promise.withResolvers<void>();
    subgraph.enqueueScripts(runAfter(first.promise, json(ok)));
    subgraph.setDefaultScript(json(ok));
    const leading = under.send({ body: '1' });
    const waiting = under.send({ body: '2', deadline: under.clock.now() + 100 });
    await subgraph.waitForRequests(1);

    under.clock.advance(100);
    expect(await describeFailure(waiting)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    first.resolve();

    expect(await leading.outcome).toEqual(okResponse);
    expect(await under.send({ body: '3' }).outcome).toEqual(okResponse);
    expect(subgraph.requests.map((request) => request.body)).toEqual(['1', '3']);
  });

  test('leave no timer running after the response', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(json(ok));

    const answer = under.send();
    expect(under.clock.pendingCount).toBe(1);
    await answer.outcome;

    expect(under.clock.pendingCount).toBe(0);
  });
});

describe('after an idle connection was closed by the subgraph', () => {
  test('a query is sent again', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    subgraph.enqueueScripts(json(ok), reset, json({ data: { ok: 'again' } }));

    await under.send().outcome;

    expect(await under.send({ body: 'second' }).outcome).toEqual({ ...okResponse, data: { ok: 'again' } });
    expect(subgraph.requests.map(({ body, connection }) => ({ body, connection }))).toEqual([
      { body: '{"query":"{ok}"}', connection: 1 },
      { body: 'second', connection: 1 },
      { body: 'second', connection: 2 },
    ]);
  });

  test('a query is sent twice at most', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    subgraph.enqueueScripts(json(ok), reset, reset, json(ok));

    await under.send().outcome;

    expect(await describeFailure(under.send())).toMatchObject({ code: 'SUBGRAPH_UNREACHABLE' });
    expect(subgraph.requests.length).toBe(3);
  });

  test('a mutation is never sent again', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    subgraph.enqueueScripts(json(ok), reset, json(ok));

    await under.send().outcome;

    expect(await describeFailure(under.send({ kind: 'mutation' }))).toMatchObject({
      code: 'SUBGRAPH_UNREACHABLE',
    });
    expect(subgraph.requests.length).toBe(2);
  });

  test.each([
    ['query', 'before it is read', setImmediate],
    ['mutation', 'before it is read', setImmediate],
    ['query', 'when it is written to', (run: () => void) => void stat('.', run)],
    ['mutation', 'when it is written to', (run: () => void) => void stat('.', run)],
  ] as const)(
    'a %s that the subgraph cannot have got, because each idle connection is reset %s, gets its response',
    async (kind, _, enterTurn) => {
      await using under = createClientFixture(subgraph.url, {
        at: { connections: 3, retry: { attempts: 1, minDelay: 1, maxDelay: 1, budgetRatio: 0, on: [] } },
      });
      const idle: Exchange[] = [];
      subgraph.setDefaultScript((exchange) => {
        idle.push(exchange);
        if (idle.length >= 3) for (const each of idle) void json(ok)(each);
      });
      const bodies = ['1', '2', '3'];
      await Promise.all(bodies.map((body) => under.send({ body }).outcome));
      subgraph.setDefaultScript(json(ok));
      await new Promise<void>((resolve) => enterTurn(() => resolve()));

      for (const exchange of idle) exchange.reset();
      expect(await under.send({ kind, body: '4' }).outcome).toEqual(okResponse);
      expect(subgraph.requests.map(({ body, connection }) => [body, connection])).toEqual([
        ...bodies.map((body, index) => [body, index + 1]),
        ['4', 4],
      ]);
    },
  );

  test('a query is not sent again once its response has started', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    subgraph.enqueueScripts(json(ok), (exchange) => {
      exchange.write('HTTP/1.1 200 OK\r\ncontent-le');
      exchange.end();
    });
    subgraph.setDefaultScript(json(ok));

    await under.send().outcome;

    expect(await describeFailure(under.send())).toMatchObject({ code: 'SUBGRAPH_UNREACHABLE' });
    expect(subgraph.requests.length).toBe(2);
  });
});

describe('equal queries in flight', () => {
  test('are sent once, and each receiver gets a copy of the response', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(json({ data: { list: [1] } }));

    const answers = [under.send({ requestId: 'a' }), under.send({ requestId: 'b' })];
    const outcomes = await Promise.all(answers.map((answer) => answer.outcome));

    expect(outcomes).toEqual([
      { ...okResponse, data: { list: [1] } },
      { ...okResponse, data: { list: [1] } },
    ]);
    expect(outcomes[0]).not.toBe(outcomes[1]);
    expect('data' in outcomes[0]! && outcomes[0].data).not.toBe('data' in outcomes[1]! && outcomes[1].data);
    expect(subgraph.requests.map((request) => request.headers.get('x-request-id'))).toEqual(['a']);
  });

  test.each([
    ['sharing is off', { sharesInFlightCalls: false }, {}],
    ['they are mutations', {}, { kind: 'mutation' as const }],
  ])('are not shared if %s', async (_name, options, more) => {
    await using under = createClientFixture(subgraph.url, options);
    subgraph.setDefaultScript(json(ok));

    await Promise.all([under.send(more).outcome, under.send(more).outcome]);

    expect(subgraph.requests.length).toBe(2);
  });

  test('are not shared with a query that arrives after the response', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.setDefaultScript(json(ok));

    await under.send().outcome;
    await under.send().outcome;

    expect(subgraph.requests.length).toBe(2);
  });

  test('continue when one receiver is cancelled', async () => {
    await using under = createClientFixture(subgraph.url);
    const gate = Promise.withResolvers<void>();
    subgraph.enqueueScripts(runAfter(gate.promise, json(ok)));
    const leader = under.send();
    const joiner = under.send();
    await subgraph.waitForRequests(1);

    leader.cancel();
    leader.cancel();
    gate.resolve();

    expect(await joiner.outcome).toEqual(okResponse);
    expect([leader.callCount(), joiner.callCount()]).toEqual([0, 1]);
  });

  test('end when the last receiver is cancelled', async () => {
    await using under = createClientFixture(subgraph.url);
    const answers = [under.send(), under.send()];
    await subgraph.waitForRequests(1);

    for (const answer of answers) answer.cancel();
    await subgraph.requests[0]!.connectionClosed;

    expect(answers.map((answer) => answer.callCount())).toEqual([0, 0]);
    expect(under.clock.pendingCount).toBe(0);
  });

  test('keep the deadline of each receiver', async () => {
    await using under = createClientFixture(subgraph.url);
    const gate = Promise.withResolvers<void>();
    subgraph.enqueueScripts(runAfter(gate.promise, json(ok)));
    const now = under.clock.now();
    const leader = under.send({ deadline: now + 200 });
    const early = under.send({ deadline: now + 100 });
    const late = under.send({ deadline: now + 300 });
    await subgraph.waitForRequests(1);

    under.clock.advance(100);
    expect([leader, early, late].map((answer) => answer.callCount())).toEqual([0, 1, 0]);
    under.clock.advance(150);
    expect([leader, early, late].map((answer) => answer.callCount())).toEqual([1, 1, 0]);
    gate.resolve();

    expect(await describeFailure(early)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(await describeFailure(leader)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(await late.outcome).toEqual(okResponse);
    expect(subgraph.requests.length).toBe(1);
  });

  test('report a failure to every receiver', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.enqueueScripts(reset);

    const failures = await Promise.all([describeFailure(under.send()), describeFailure(under.send())]);

    expect(failures).toMatchObject([{ code: 'SUBGRAPH_UNREACHABLE' }, { code: 'SUBGRAPH_UNREACHABLE' }]);
  });

  test('reach the other receivers if one of them throws', async () => {
    const faults: unknown[] = [];
    await using under = createClientFixture(subgraph.url, { onReceiverFault: (fault) => faults.push(fault) });
    subgraph.enqueueScripts(json(ok));
    const fault = new Error('a fault of the executor');
    under.client.send(under.request(), {
      onResponse: () => {
        throw fault;
      },
      onError: (error) => faults.push(error),
    });

    expect(await under.send().outcome).toEqual(okResponse);
    expect(faults).toEqual([fault]);
  });

  test('allow a receiver to send again and to cancel others while it is called', async () => {
    await using under = createClientFixture(subgraph.url);
    subgraph.setDefaultScript(json(ok));
    const second = Promise.withResolvers<unknown>();
    let cancelled: ReturnType<typeof under.send> | undefined;
    under.client.send(under.request(), {
      onResponse: () => {
        cancelled?.cancel();
        second.resolve(under.send().outcome);
      },
      onError: second.reject,
    });
    cancelled = under.send();

    expect(await second.promise).toEqual(okResponse);
    expect(cancelled.callCount()).toBe(0);
    expect(subgraph.requests.length).toBe(2);
  });
});

describe('the call observer', () => {
  test('gets every call once, also one with several receivers', async () => {
    const events: SubgraphCallEvent[] = [];
    await using under = createClientFixture(subgraph.url, {
      at: { connections: 1 },
      onCall: (event) => events.push(event),
    });
    subgraph.enqueueScripts(json(ok), reset, json(ok));

    await Promise.all([under.send().outcome, under.send().outcome]);
    await under.send({ requestId: 'request-2' }).outcome;
    const cancelled = under.send({ kind: 'mutation', requestId: 'request-3' });
    await subgraph.waitForRequests(4);
    under.clock.advance(7);
    cancelled.cancel();

    const common = {
      subgraph: 'reviews',
      durationMs: 0,
      representations: 0,
      isComplete: true,
    };
    const startedAt = under.clock.now() - 7;
    const received = { outcome: 'answered', status: 200 };
    expect(events).toEqual([
      { ...common, ...received, endedAt: startedAt, requestId: 'request-1' },
      { ...common, ...received, endedAt: startedAt, requestId: 'request-2' },
      {
        ...common,
        requestId: 'request-3',
        outcome: 'cancelled',
        status: undefined,
        durationMs: 7,
        endedAt: startedAt + 7,
        isComplete: false,
      },
    ]);
  });

  test('gets no status of a call that is lost after an informational response', async () => {
    const events: SubgraphCallEvent[] = [];
    await using under = createClientFixture(subgraph.url, { onCall: (event) => events.push(event) });
    subgraph.enqueueScripts((exchange) => {
      exchange.write('HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n');
      exchange.end();
    });

    await under.send().outcome;
    expect(events).toMatchObject([{ outcome: 'SUBGRAPH_UNREACHABLE', status: undefined }]);
  });

  test.each([
    ['a connection that is refused', undefined, /connect ECONNREFUSED 127\.0\.0\.1/],
    ['an HTML page', ({ respond }) => respond({ body: '<html>' }), /the body is not JSON/],
    ['another status', ({ respond }) => respond({ status: 503, body: 'busy' }), /the body is not JSON/],
    [
      'GraphQL errors with another status',
      ({ respond }) =>
        respond({
          status: 400,
          body: '{"errors":[{"message":"secret","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}',
        }),
      /^GraphQL errors in the response: 1, the first one with the code GRAPHQL_VALIDATION_FAILED$/,
    ],
    [
      'GraphQL errors whose code is no name',
      ({ respond }) =>
        respond({
          status: 400,
          body: '{"errors":[{"message":"secret","extensions":{"code":"a secret"}},{"message":"secret"}]}',
        }),
      /^GraphQL errors in the response: 2$/,
    ],
  ] as readonly (readonly [string, Script | undefined, RegExp])[])(
    'gets the address and the problem of %s',
    async (_, script, problem) => {
      const events: SubgraphCallEvent[] = [];
      await using under = createClientFixture(subgraph.url, {
        at: { connections: 1 },
        onCall: (event) => events.push(event),
      });
      if (script === undefined) await subgraph.close();
      else subgraph.enqueueScripts(script);
      await under.send().outcome;
      expect(events.map(({ failure }) => failure?.describe())).toEqual([
        { url: subgraph.url, problem: expect.stringMatching(problem) },
      ]);
    },
  );
});

describe('a closed client', () => {
  test('fails calls under way, refuses later ones and leaves no connection open', async () => {
    await using under = createClientFixture(subgraph.url, { at: { connections: 1 } });
    const running = under.send({ body: '1' });
    const queued = under.send({ body: '2' });
    await subgraph.waitForRequests(1);

    await under.client.close();

    const failure = {
      code: 'SUBGRAPH_UNREACHABLE',
      subgraph: 'reviews',
      extensions: {},
      cause: 'the client was closed',
    };
    expect(await describeFailure(running)).toEqual(failure);
    expect(await describeFailure(queued)).toEqual(failure);
    expect(await describeFailure(under.send())).toEqual(failure);
    await subgraph.requests[0]!.connectionClosed;
    expect(subgraph.openConnections).toBe(0);
    expect(under.clock.pendingCount).toBe(0);
  });

  test('does not call a cancelled receiver, not even to refuse its request', async () => {
    await using under = createClientFixture(subgraph.url);
    const refused = under.send({ deadline: under.clock.now() - 1 });
    refused.cancel();
    const running = under.send({ deadline: under.clock.now() + deadlineMs });
    running.cancel();

    await under.client.close();

    expect([refused.callCount(), running.callCount()]).toEqual([0, 0]);
  });
});
