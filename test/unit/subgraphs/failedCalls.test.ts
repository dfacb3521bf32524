import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { bytes, chunked, type Exchange, reset, text } from '../../harness/scriptedSubgraph.ts';
import { createClientFixture, describeFailure, ok, withStatus } from './clientFixture.ts';
import { subgraph } from './subgraphPerTest.ts';

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
      withStatus(200, '<p>secret</p>', { 'content-type': 'text/html' }),
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
    [
      'an unknown coding',
      withStatus(200, '{}', { 'content-encoding': 'zip' }),
      'unknown content coding: zip',
    ],
    [
      'two codings',
      withStatus(200, '{}', { 'content-encoding': 'gzip, br' }),
      'unknown content coding: gzip, br',
    ],
    ['broken gzip', withStatus(200, '{}', { 'content-encoding': 'gzip' }), 'incorrect header check'],
    [
      'truncated gzip',
      withStatus(200, gzipSync(JSON.stringify(ok)).subarray(0, -4), { 'content-encoding': 'gzip' }),
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
      withStatus(200, gzipSync(`{"data":null}${spaces}`), { 'content-encoding': 'gzip' }),
      'Cannot create a Buffer larger than 1000 bytes',
    ],
    [
      'after decompression (a bomb of 100 MB)',
      withStatus(
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
      withStatus(503, '<h1>no</h1>', { 'content-type': 'text/html' }),
      'SUBGRAPH_UNREACHABLE',
      503,
    ],
    ['500 with JSON of another kind', withStatus(500, '{"error":"no"}'), 'SUBGRAPH_UNREACHABLE', 500],
    ['500 with bad UTF-8', withStatus(500, Buffer.from([0xff])), 'SUBGRAPH_UNREACHABLE', 500],
    ['404', withStatus(404, ''), 'SUBGRAPH_ERROR', 404],
    ['429 with JSON of another kind', withStatus(429, '{"message":"slow down"}'), 'SUBGRAPH_ERROR', 429],
    ['a redirect', withStatus(307, JSON.stringify(ok), { location: '/elsewhere' }), 'SUBGRAPH_ERROR', 307],
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
    ['an end without an answer', (exchange: Exchange) => exchange.end()],
    [
      'an end within the body',
      (exchange: Exchange) => {
        exchange.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"data":');
        exchange.end();
      },
    ],
    [
      'an end between chunks',
      (exchange: Exchange) => {
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
