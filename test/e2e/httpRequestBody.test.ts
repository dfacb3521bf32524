import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import {
  exchange,
  exchangeJson,
  parseJsonResponse,
  RawConnection,
  type RawResponse,
} from '../harness/rawHttp.ts';
import { startScriptedServer } from '../harness/scriptedServer.ts';

const json = { 'content-type': 'application/json' };
const greeting = { query: '{ greeting }' };
const hello = JSON.stringify(greeting);

const error = (message: string, code: string): unknown => ({ errors: [{ message, extensions: { code } }] });

describe('the request body', () => {
  const tooLarge = error(
    'The request body is larger than 100 bytes, the maximum (limits.bodySize).',
    'BAD_REQUEST',
  );

  test.each([
    ['{"query":}', 'The request body is not valid JSON: unexpected "}" at position 9 (line 1, column 10).'],
    [
      '{"query":\n"{ greeting }"',
      'The request body is not valid JSON: unexpected end of the text at position 24 (line 2, column 15).',
    ],
    ['', 'The request body is not valid JSON: unexpected end of the text at position 0 (line 1, column 1).'],
  ])('%j is rejected with the position of the problem', async (body, message) => {
    await using server = await startScriptedServer();
    expect(parseJsonResponse(await exchange(server.url, { headers: json, body }))).toEqual({
      status: 400,
      type: 'application/json; charset=utf-8',
      body: error(message, 'BAD_REQUEST'),
    });
  });

  test('that is not UTF-8 by its bytes or charset is rejected', async () => {
    await using server = await startScriptedServer();
    const bytes = Buffer.from('{"query":"{ greeting(name: \\"\xe9\\") }"}', 'latin1');
    expect(parseJsonResponse(await exchange(server.url, { headers: json, body: bytes }))).toMatchObject({
      status: 400,
      body: error('The request body is not valid UTF-8.', 'BAD_REQUEST'),
    });
    const utf16 = { 'content-type': 'application/json; charset=utf-16le' };
    expect(
      parseJsonResponse(await exchange(server.url, { headers: utf16, body: Buffer.from(hello, 'utf16le') })),
    ).toMatchObject({
      status: 415,
      body: error('The request body must be application/json in UTF-8.', 'BAD_REQUEST'),
    });
  });

  test.each(['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"', 'application/json'])(
    'of type %s is accepted',
    async (type) => {
      await using server = await startScriptedServer();
      expect((await exchange(server.url, { headers: { 'content-type': type }, body: hello })).status).toBe(
        200,
      );
    },
  );

  test.each(['application/xml', 'application/graphql', 'application/json, text/plain'])(
    'of type %s is rejected with 415',
    async (type) => {
      await using server = await startScriptedServer();
      expect((await exchange(server.url, { headers: { 'content-type': type }, body: hello })).status).toBe(
        415,
      );
    },
  );

  test('with files is rejected with 415 and a pointer to signed URLs', async () => {
    await using server = await startScriptedServer();
    const operations = JSON.stringify({
      query: 'mutation($f: Upload) { upload(f: $f) }',
      variables: { f: null },
    });
    const form = new FormData();
    form.set('operations', operations);
    form.set('map', '{"0":["variables.f"]}');
    form.set('0', new Blob(['content']), 'a.txt');
    const response = await fetch(server.url, { method: 'POST', body: form });
    expect([response.status, await response.json()]).toEqual([
      415,
      {
        errors: [
          {
            message:
              'The gateway accepts no file uploads (multipart/form-data). Upload the file to a signed URL of your storage, and send the URL or a key in application/json (docs/uploads.md).',
            extensions: { code: 'BAD_REQUEST' },
          },
        ],
      },
    ]);
    expect(server.receivedOperations).toEqual([]);
  });

  test('that is too large is rejected by its content-length, while it arrives, and after decompression', async () => {
    await using server = await startScriptedServer(undefined, { limits: { bodySize: 100 } });
    const large = JSON.stringify({ query: `{ greeting } ${' '.repeat(10_000)}` });
    const rejected = { status: 413, type: 'application/json; charset=utf-8', body: tooLarge };
    expect(parseJsonResponse(await exchange(server.url, { headers: json, body: large }))).toEqual(rejected);
    const chunked = `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
    expect(
      parseJsonResponse(
        await exchange(server.url, { headers: { ...json, 'transfer-encoding': 'chunked' }, body: chunked }),
      ),
    ).toEqual(rejected);
    const zipped = gzipSync(large);
    expect(zipped.length).toBeLessThan(100);
    expect(
      parseJsonResponse(
        await exchange(server.url, { headers: { ...json, 'content-encoding': 'gzip' }, body: zipped }),
      ),
    ).toEqual(rejected);
  });

  test('that is too large leaves the connection usable', async () => {
    await using server = await startScriptedServer(undefined, { limits: { bodySize: 100 } });
    await using connection = await RawConnection.open(server.url);
    connection.send({ headers: json, body: ' '.repeat(300_000) });
    connection.send({ headers: json, body: hello });
    expect([(await connection.readResponse()).status, (await connection.readResponse()).status]).toEqual([
      413, 200,
    ]);
  });

  test('may be compressed with gzip, br, zstd or deflate only', async () => {
    await using server = await startScriptedServer();
    const send = (encoding: string, body: Uint8Array): Promise<RawResponse> =>
      exchange(server.url, { headers: { ...json, 'content-encoding': encoding }, body });
    const statuses = [
      (await send('gzip', gzipSync(hello))).status,
      (await send('br', brotliCompressSync(hello))).status,
      (await send('zstd', zstdCompressSync(hello))).status,
      (await send('deflate', deflateSync(hello))).status,
      (await send('gzip', Buffer.from(hello))).status,
    ];
    expect(statuses).toEqual([200, 200, 200, 200, 400]);
    const unknown = await send('zip', Buffer.from(hello));
    expect([unknown.status, unknown.headers.get('accept-encoding')]).toEqual([
      415,
      'gzip, br, zstd, deflate',
    ]);
  });

  test('that breaks off is not logged as an error', async () => {
    await using server = await startScriptedServer();
    const connection = await RawConnection.open(server.url);
    connection.send({ headers: { ...json, 'content-length': '500' }, body: hello });
    await connection[Symbol.asyncDispose]();
    expect((await exchangeJson(server.url, greeting)).status).toBe(200);
    expect(server.logLines).toEqual([]);
  });
});
