import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Socket } from 'node:net';
import { json as readJson } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createCertificate } from '../harness/createCertificate.ts';
import { exchange, RawConnection } from '../harness/rawHttp.ts';
import { type ScriptedServer, startScriptedServer } from '../harness/scriptedServer.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { writeCertificate } from '../harness/temporaryCertificates.ts';
import { Peer } from '../harness/webSocketPeer.ts';

const certificate = createCertificate({ name: 'gateway' });
let plain: ScriptedServer;
let secure: ScriptedServer;
let session: ClientHttp2Session;

beforeAll(async () => {
  const { files } = disposeAfterSuite(await writeCertificate(certificate));
  plain = await startScriptedServer();
  secure = await startScriptedServer(undefined, { listen: { tls: files } });
  session = connect(new URL(secure.url).origin, { ca: certificate.cert });
  await once(session, 'remoteSettings');
});

afterAll(async () => {
  session.destroy();
  await Promise.all([plain.close(), secure.close()]);
});

const operation = '{"query":"{ greeting }"}';
const head = 'POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n';
const length = `content-length: ${operation.length}\r\n`;

/** Checks that the server refuses the bytes and closes the connection, and has executed nothing. */
async function expectRefusal(bytes: string, status: number, message: string): Promise<void> {
  const executed = plain.receivedOperations.length;
  await using connection = await RawConnection.open(plain.url);
  connection.socket.write(bytes, 'latin1');
  const response = await connection.readResponse();
  expect([response.status, JSON.parse(response.body).errors[0].message]).toEqual([status, message]);
  await connection.waitForClose();
  expect([plain.receivedOperations.length, plain.logLines]).toEqual([executed, []]);
}

describe('a request over HTTP/1.1 is refused, and its connection closed, with', () => {
  const invalid = (reason: string) => `The request is not valid HTTP: ${reason}.`;
  test.each([
    ['two lengths', `${head}${length}${length}\r\n${operation}`, invalid('Duplicate Content-Length')],
    [
      'a length and chunks',
      `${head}${length}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      invalid("Transfer-Encoding can't be present with Content-Length"),
    ],
    [
      'chunks and a length',
      `${head}transfer-encoding: chunked\r\n${length}\r\n0\r\n\r\n`,
      invalid("Content-Length can't be present with Transfer-Encoding"),
    ],
    [
      'a transfer coding that does not end in chunked',
      `${head}transfer-encoding: chunked, identity\r\n\r\n`,
      invalid('Invalid `Transfer-Encoding` header value'),
    ],
    [
      'a transfer coding besides chunked',
      `${head}transfer-encoding: gzip, chunked\r\n\r\n18\r\n${operation}\r\n0\r\n\r\n`,
      'The transfer-encoding of the request is not chunked.',
    ],
    [
      'a chunk size that is no number',
      `${head}transfer-encoding: chunked\r\n\r\n-1\r\n${operation}\r\n0\r\n\r\n`,
      invalid('Invalid character in chunk size'),
    ],
    [
      'a line break in a value',
      `${head}x-a: b\rx-c: d\r\n\r\n`,
      invalid('Missing expected LF after header value'),
    ],
    ['a null character in a value', `${head}x-a: b\0\r\n\r\n`, invalid('Invalid header value char')],
    ['a space before the colon', `${head}x-a : b\r\n\r\n`, invalid('Invalid header token')],
    [
      'a value on two lines',
      `${head}x-a: b\r\n c\r\n\r\n`,
      invalid('Unexpected whitespace after header value'),
    ],
    [
      'two hosts',
      `${head}host: b\r\n${length}\r\n${operation}`,
      'The header host is repeated. Send it once.',
    ],
    [
      'two content types',
      `${head}Content-Type: text/plain\r\n${length}\r\n${operation}`,
      'The header content-type is repeated. Send it once.',
    ],
    [
      'two authorizations',
      `${head}authorization: Bearer a\r\nAUTHORIZATION: Bearer b\r\n${length}\r\n${operation}`,
      'The header authorization is repeated. Send it once.',
    ],
  ])('%s', async (_, bytes, message) => {
    await expectRefusal(bytes, 400, message);
  });

  test('very many headers', async () => {
    const many = Array.from({ length: 5000 }, (_, n) => `x-${n}: a\r\n`).join('');
    await expectRefusal(
      `${head}${many}\r\n`,
      431,
      'The URL and the headers of the request are larger than 16384 bytes, the maximum. Send a long operation by POST.',
    );
  });

  test('a second request hidden in its body, which is not executed either', async () => {
    const hidden = `${head}${length}\r\n${operation}`;
    await expectRefusal(
      `${head}content-length: ${hidden.length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
      400,
      invalid("Transfer-Encoding can't be present with Content-Length"),
    );
  });
});

describe('a request gets one response, and its connection is closed, if it is refused before it is read and', () => {
  test.each([
    ['its body is malformed', 406, `${head}accept: no/type\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n`],
    [
      'more follows after its end',
      400,
      `${head}${head.slice(head.indexOf('host'))}connection: close\r\n\r\n{}`,
    ],
  ])('%s', async (_, status, bytes) => {
    await using connection = await RawConnection.open(plain.url);
    connection.socket.write(bytes);
    expect((await connection.readResponse()).status).toBe(status);
    await connection.waitForClose();
    await expect(connection.readHead()).rejects.toThrow();
  });
});

test('a malformed request after a complete one gets a response of its own', async () => {
  await using connection = await RawConnection.open(plain.url);
  connection.socket.write('GET /graphql HTTP/1.1\r\nhost: a\r\naccept: no/type\r\n\r\nmalformed\r\n\r\n');
  expect((await connection.readResponse()).status).toBe(406);
  expect((await connection.readResponse()).status).toBe(400);
  await connection.waitForClose();
});

test('a body that arrives in thousands of single bytes is executed', async () => {
  const executed = plain.receivedOperations.length;
  const body = `${operation.slice(0, -1)}${' '.repeat(3_000)}}`;
  await using connection = await RawConnection.open(plain.url);
  const chunks = Array.from(body, (byte) => `1\r\n${byte}\r\n`).join('');
  connection.socket.write(`${head}transfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
  expect((await connection.readResponse()).status).toBe(200);
  expect(plain.receivedOperations.length).toBe(executed + 1);
});

describe('a client that waits before it sends its body', () => {
  const expecting = (more: string) => `${head}expect: 100-continue\r\n${more}\r\n`;

  test.each([
    ['is too large', 413, expecting('content-length: 2000000\r\n')],
    [
      'has a media type that is not accepted',
      415,
      expecting(length).replace('application/json', 'image/png'),
    ],
    ['is for an unknown route', 404, expecting(length).replace('/graphql', '/unknown')],
  ])('gets only the error when the body %s', async (_, status, bytes) => {
    await using connection = await RawConnection.open(plain.url);
    connection.socket.write(bytes);
    const response = await connection.readResponse();
    expect([response.status, response.headers.get('connection')]).toEqual([status, 'close']);
    await connection.waitForClose();
  });

  test('gets 100 (Continue) when the gateway reads the body', async () => {
    await using connection = await RawConnection.open(plain.url);
    connection.socket.write(expecting(length));
    expect((await connection.readHead()).status).toBe(100);
    connection.socket.write(operation);
    expect((await connection.readResponse()).status).toBe(200);
  });

  test('gets an error when the expectation is another one, over both HTTP versions', async () => {
    const error = {
      errors: [
        {
          message:
            'The gateway does not meet the expectation (the header expect). Send 100-continue or none.',
          extensions: { code: 'BAD_REQUEST' },
        },
      ],
    };
    await using connection = await RawConnection.open(plain.url);
    connection.socket.write(`${head}expect: 200-ok\r\n${length}\r\n`);
    const { status, headers, body } = await connection.readResponse();
    expect([status, headers.get('connection'), JSON.parse(body)]).toEqual([417, 'close', error]);
    await connection.waitForClose();
    const own = connect(new URL(secure.url).origin, { ca: certificate.cert });
    const stream = own.request({ ':method': 'POST', ':path': '/graphql', expect: '200-ok' });
    const [response] = await once(stream, 'response');
    expect([response[':status'], await readJson(stream)]).toEqual([417, error]);
    own.destroy();
  });

  test('gets the same over HTTP/2', async () => {
    const statusesOf = async (headers: Record<string, string>): Promise<unknown[]> => {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/graphql',
        expect: '100-continue',
        ...headers,
      });
      const statuses: unknown[] = [];
      stream.on('continue', () => {
        statuses.push(100);
        stream.end(operation);
      });
      const [response] = await once(stream, 'response');
      statuses.push(response[':status']);
      stream.close();
      return statuses;
    };
    expect(await statusesOf({ 'content-type': 'application/json' })).toEqual([100, 200]);
    expect(await statusesOf({ 'content-type': 'image/png' })).toEqual([415]);
  });
});

const handshake =
  'GET /graphql HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

test.each([
  [
    'two authorizations',
    'authorization: a\r\nauthorization: b\r\n',
    'The header authorization is repeated. Send it once.',
  ],
  ['a length', 'content-length: 100\r\n', 'The handshake of a WebSocket has a body. Send it without one.'],
  [
    'chunks',
    'transfer-encoding: chunked\r\n',
    'The handshake of a WebSocket has a body. Send it without one.',
  ],
])('the handshake of a WebSocket with %s is refused', async (_, headers, message) => {
  await expectRefusal(`${handshake}${headers}\r\n`, 400, message);
});

test('the handshake of a WebSocket with another version is refused like any other request', async () => {
  await using connection = await RawConnection.open(plain.url);
  connection.socket.write(`${handshake.replace('version: 13', 'version: 7')}\r\n`);
  const { status, headers, body } = await connection.readResponse();
  expect([status, JSON.parse(body).errors[0].message, headers.get('sec-websocket-version')]).toEqual([
    400,
    'The handshake of a WebSocket is not valid: Missing or invalid Sec-WebSocket-Version header.',
    '13',
  ]);
  expect([headers.get('content-type'), headers.get('x-content-type-options')]).toEqual([
    'application/json; charset=utf-8',
    'nosniff',
  ]);
  await connection.waitForClose();
});

test('the handshake of a WebSocket closes the connection when a request in front of it has no response yet', async () => {
  await using connection = await RawConnection.open(plain.url);
  connection.socket.write(`${head}${length}\r\n${operation}${handshake}\r\n`);
  await connection.waitForClose();
  await expect(connection.readHead()).rejects.toThrow('The connection ended; unread: ');
  expect(plain.logLines).toEqual([]);
});

test('a message of a WebSocket may have 256 fragments, because each can keep 64 kB of what arrived with it in memory', async () => {
  const send = ({ socket }: Peer, fragments: number): void => {
    socket.send('{"type":"ping"}', { fin: false });
    for (let sent = 2; sent < fragments; sent += 1) socket.send(' ', { fin: false });
    socket.send(' ', { fin: true });
  };
  await using peer = await Peer.open(plain.url);
  send(peer, 256);
  expect(await peer.next()).toEqual({ type: 'pong' });
  send(peer, 257);
  expect(await peer.closed).toEqual({ code: 1008, reason: '' });
});

test('a message of a WebSocket may arrive in 10,000 parts, because joining many more would block the event loop', async () => {
  await using peer = await Peer.open(plain.url);
  const { _socket: connection } = peer.socket as unknown as { readonly _socket: Socket };
  // The head of a frame with many more bytes, and a mask that changes nothing.
  const size = 60_000;
  connection.write(Buffer.from([0x81, 0xfe, size >> 8, size & 0xff, 0, 0, 0, 0]));
  for (let sent = 0; sent < size && peer.socket.readyState === peer.socket.OPEN; sent += 1) {
    connection.write(' ');
    // The server reads each byte alone, except on a busy machine.
    await setImmediate();
  }
  expect(await peer.closed).toEqual({ code: 1008, reason: '' });
});

test('a refused body is read to its end, but not in very many small chunks', async () => {
  const refused =
    'POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n';
  await using connection = await RawConnection.open(plain.url);
  connection.socket.write(refused);
  expect((await connection.readResponse()).status).toBe(415);
  connection.socket.write(`10000\r\n${' '.repeat(0x1_00_00)}\r\n`.repeat(100));
  connection.socket.write(`0\r\n\r\n${refused}`);
  expect((await connection.readResponse()).status).toBe(415);
  connection.socket.write('1\r\n \r\n'.repeat(2_000));
  await connection.waitForClose();
});

test('very many requests at once are refused, also with another version of HTTP in the request line', async () => {
  const executed = plain.receivedOperations.length;
  await using connection = await RawConnection.open(plain.url);
  const request = `${head.replace('/1.1', '/2.0')}connection: keep-alive\r\n${length}\r\n${operation}`;
  connection.socket.write(request.repeat(500));
  await connection.waitForClose();
  expect(plain.receivedOperations.length - executed).toBeLessThan(130);
});

async function overHttp2(headers: object, body: string | Buffer): Promise<[unknown, unknown]> {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/graphql',
    'content-type': 'application/json',
    ...headers,
  });
  let text = '';
  stream.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  stream.end(body);
  const [{ ':status': status }] = await once(stream, 'response');
  await once(stream, 'end');
  return [status, JSON.parse(text).errors?.[0].message ?? text];
}

describe('a body is refused over both HTTP versions with', () => {
  const bomb = Buffer.alloc(20_000_000, ' ');
  test.each<[string, Record<string, string>, string | Buffer, number, string]>([
    [
      'invalid UTF-8',
      {},
      Buffer.from([...Buffer.from('{"query":"{ greeting(name: \\"'), 0xc3, 0x28, ...Buffer.from('\\") }"}')]),
      400,
      'The request body is not valid UTF-8.',
    ],
    [
      'an encoded surrogate',
      {},
      Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
      400,
      'The request body is not valid UTF-8.',
    ],
    [
      'a gzip bomb',
      { 'content-encoding': 'gzip' },
      gzipSync(bomb),
      413,
      'The request body is larger than 1000000 bytes, the maximum (limits.bodySize).',
    ],
    [
      'a brotli bomb',
      { 'content-encoding': 'br' },
      brotliCompressSync(bomb),
      413,
      'The request body is larger than 1000000 bytes, the maximum (limits.bodySize).',
    ],
    [
      'a zstd bomb',
      { 'content-encoding': 'zstd' },
      zstdCompressSync(bomb),
      413,
      'The request body is larger than 1000000 bytes, the maximum (limits.bodySize).',
    ],
  ])('%s', async (_, headers, body, status, message) => {
    const json = { 'content-type': 'application/json' };
    const response = await exchange(plain.url, { headers: { ...json, ...headers }, body });
    expect([response.status, JSON.parse(response.body).errors[0].message]).toEqual([status, message]);
    expect(await overHttp2(headers, body)).toEqual([status, message]);
    expect([plain.logLines, secure.logLines]).toEqual([[], []]);
  });
});

test('a compressed body without output is refused over both HTTP versions when it is too large itself', async () => {
  // Empty blocks of deflate.
  const blocks = Buffer.alloc(1_250_000, Buffer.from([0, 0, 0, 0xff, 0xff]));
  const body = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), blocks]);
  const size = Buffer.from(`${body.length.toString(16)}\r\n`);
  const response = await exchange(plain.url, {
    headers: { [json[0]]: json[1], 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' },
    body: Buffer.concat([size, body, Buffer.from('\r\n0\r\n\r\n')]),
  });
  const message = 'The request body is larger than 1000000 bytes, the maximum (limits.bodySize).';
  expect([response.status, JSON.parse(response.body).errors[0].message]).toEqual([413, message]);
  expect(await overHttp2({ 'content-encoding': 'gzip' }, body)).toEqual([413, message]);
  expect([plain.logLines, secure.logLines]).toEqual([[], []]);
});

test('very many values with a number of many digits are refused, by POST and by WebSocket', async () => {
  const values = `${'1,'.repeat(999)}12345678901234567,`.repeat(150);
  const payload = `{"query":"{ greeting }","variables":{"a":[${values}1]}}`;
  const executed = plain.receivedOperations.length;
  const { status, body } = await exchange(plain.url, { headers: { [json[0]]: json[1] }, body: payload });
  const problem =
    'it has a number of more than 15 digits, and more than 100000 values. Send such numbers as strings, or fewer values.';
  expect([status, JSON.parse(body).errors[0].message]).toEqual([
    400,
    `The request body is refused: ${problem}`,
  ]);
  await using peer = await Peer.ready(plain.url);
  peer.socket.send(`{"type":"subscribe","id":"1","payload":${payload}}`);
  expect((await peer.closed).code).toBe(4400);
  expect(plain.receivedOperations.length).toBe(executed);
});

/** A frame of HTTP/2 on the first stream. */
function frame(type: number, flags: number, payload: Buffer, stream = 1): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** Headers in HPACK, as literals that no client library would send. */
function literals(headers: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    headers.flatMap(([name, value]) => [
      Buffer.from([0, name.length]),
      Buffer.from(name, 'latin1'),
      Buffer.from([value.length]),
      Buffer.from(value, 'latin1'),
    ]),
  );
}

const frameTypes = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7 } as const;
const pseudo = [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':path', '/graphql'],
  [':authority', 'a'],
] as const;
const json = ['content-type', 'application/json'] as const;

/** Sends an operation with these headers on a connection of its own. */
function sendOperation(headers: readonly (readonly [string, string])[]): Promise<Set<number>> {
  return sendFrames([
    frame(frameTypes.headers, 4, literals(headers)),
    frame(frameTypes.data, 1, Buffer.from(operation)),
  ]);
}

/** Sends frames on a connection of their own. Returns the types of all frames that arrive until a request or the connection has
 *  ended. */
async function sendFrames(frames: readonly Buffer[]): Promise<Set<number>> {
  const socket = connectTls({
    port: Number(new URL(secure.url).port),
    host: '127.0.0.1',
    ca: certificate.cert,
    ALPNProtocols: ['h2'],
  });
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  socket.write(
    Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame(frameTypes.settings, 0, Buffer.alloc(0), 0),
      ...frames,
    ]),
  );
  const types = new Set<number>();
  let received = Buffer.alloc(0);
  for await (const bytes of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, bytes]);
    while (received.length >= 9 && received.length >= 9 + received.readUIntBE(0, 3)) {
      types.add(received.readUInt8(3));
      received = received.subarray(9 + received.readUIntBE(0, 3));
    }
    if ([frameTypes.data, frameTypes.reset, frameTypes.goaway].some((type) => types.has(type))) break;
  }
  socket.destroy();
  return types;
}

test('a connection over HTTP/2 is closed when its client resets more requests at once than it may have open', async () => {
  const frames = Array.from({ length: 150 }, (_, index) => [
    frame(frameTypes.headers, 4, literals([...pseudo, json]), 2 * index + 1),
    frame(frameTypes.reset, 0, Buffer.from([0, 0, 0, 8]), 2 * index + 1),
  ]);
  expect(await sendFrames(frames.flat())).toContain(frameTypes.goaway);
  expect(secure.logLines).toEqual([]);
});

test('as many requests over HTTP/2 as a client may have open get responses when they arrive at once', async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, () => overHttp2({}, operation)));
  expect(new Set(answers.map(([status]) => status))).toEqual(new Set([200]));
});

describe('a request over HTTP/2 is not executed, and its stream or connection ends, with', () => {
  test.each<[string, readonly (readonly [string, string])[]]>([
    ['a name in upper case', [...pseudo, json, ['X-A', 'b']]],
    ['a header of connections', [...pseudo, json, ['connection', 'close']]],
    ['a transfer coding', [...pseudo, json, ['transfer-encoding', 'chunked']]],
    ['two lengths', [...pseudo, json, ['content-length', '24'], ['content-length', '25']]],
    ['a length that is not that of the body', [...pseudo, json, ['content-length', '10']]],
    ['a pseudo header after others', [...pseudo.slice(1), json, [':method', 'POST']]],
    ['two paths', [...pseudo, [':path', '/health/live'], json]],
    ['no path', [pseudo[0], pseudo[1], pseudo[3], json]],
    ['two authorizations', [...pseudo, json, ['authorization', 'a'], ['authorization', 'b']]],
    ['two content types', [...pseudo, json, ['content-type', 'text/plain']]],
  ])('%s', async (_, headers) => {
    const executed = secure.receivedOperations.length;
    const types = await sendOperation(headers);
    expect(types.has(frameTypes.reset) || types.has(frameTypes.goaway)).toBe(true);
    expect([secure.receivedOperations.length, secure.logLines]).toEqual([executed, []]);
    expect(await overHttp2({}, operation)).toEqual([200, '{"data":{"greeting":"hello"}}']);
  });
});

test.each(['b\r\nx-c: d', 'b\0'])('a header over HTTP/2 with the value %j is ignored', async (value) => {
  const types = await sendOperation([...pseudo, json, ['x-a', value]]);
  expect(types.has(frameTypes.headers)).toBe(true);
  const received = secure.receivedOperations.at(-1)?.headers;
  expect(['host', 'x-a', 'x-c'].map((name) => received?.get(name))).toStrictEqual([
    'a',
    undefined,
    undefined,
  ]);
});
