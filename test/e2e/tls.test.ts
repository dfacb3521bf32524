import { once } from 'node:events';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { describe, expect, test } from '@jest/globals';
import { createGateway } from '../../gateway/gateway.ts';
import { createCertificate, type TestCertificate } from '../harness/createCertificate.ts';
import { RawConnection } from '../harness/rawHttp.ts';
import { silentLog, startScriptedServer } from '../harness/scriptedServer.ts';
import { writeCertificate } from '../harness/temporaryCertificates.ts';
import { demoSupergraphFile } from '../harness/testGateway.ts';

const authority = createCertificate({ name: 'authority', isAuthority: true });
const first = createCertificate({ name: 'first', issuer: authority });
const second = createCertificate({ name: 'second', issuer: authority });

async function open(url: string, client?: TestCertificate): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: Number(new URL(url).port),
    ca: authority.cert,
    ...(client && { cert: client.cert, key: client.key }),
  });
  await once(socket, 'secureConnect');
  return socket;
}

/** Sends an operation on the connection. */
async function operate(url: string, socket: TLSSocket): Promise<string> {
  const sent = request(url, {
    method: 'POST',
    createConnection: () => socket,
    headers: { 'content-type': 'application/json', connection: 'keep-alive' },
  });
  sent.end('{"query":"{ greeting }"}');
  const [response] = await once(sent, 'response');
  return text(response);
}

const hello = '{"data":{"greeting":"hello"}}';
const nameOf = (socket: TLSSocket) => (socket.getPeerCertificate() as PeerCertificate).subject.CN;

test('a changed certificate is used for new connections, and open connections stay', async () => {
  await using certificates = await writeCertificate(first);
  await using server = await startScriptedServer(undefined, { listen: { tls: certificates.files } });
  const before = await open(server.url);
  expect([nameOf(before), await operate(server.url, before)]).toEqual(['first', hello]);
  await certificates.replace(second);
  let after = await open(server.url);
  while (nameOf(after) !== 'second') {
    after.destroy();
    after = await open(server.url);
  }
  expect(await operate(server.url, after)).toBe(hello);
  expect([before.destroyed, await operate(server.url, before)]).toEqual([false, hello]);
  expect(server.logLines).toEqual([]);
  for (const socket of [before, after]) socket.destroy();
});

test('a changed certificate that cannot be used is logged, and the one from before is used', async () => {
  await using certificates = await writeCertificate(first);
  const logged = Promise.withResolvers<unknown>();
  await using server = await startScriptedServer(undefined, {
    listen: { tls: certificates.files },
    log: { ...silentLog, error: (fields, message) => logged.resolve([message, fields]) },
  });
  await certificates.replace({ ...second, key: first.key });
  expect(await logged.promise).toEqual([
    'Changed certificate files cannot be used; the former ones are',
    {
      option: 'listen.tls',
      problem: `The key file ${certificates.files.key} does not match the first certificate in ${certificates.files.cert}.`,
    },
  ]);
  const socket = await open(server.url);
  expect([nameOf(socket), await operate(server.url, socket)]).toEqual(['first', hello]);
  socket.destroy();
});

test.each([
  ['a query by GET', { cookie: 'session=1' }, 400],
  [
    'a WebSocket',
    {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol': 'graphql-transport-ws',
    },
    403,
  ],
])(
  'a page without TLS is of another origin than the listener: it may not send %s',
  async (_, headers, refused) => {
    await using certificates = await writeCertificate(first);
    await using server = await startScriptedServer(undefined, { listen: { tls: certificates.files } });
    const statusFor = async (origin: string): Promise<number | undefined> => {
      const socket = await open(server.url);
      const sent = request(`${server.url}?query=%7B%20greeting%20%7D`, {
        createConnection: () => socket,
        headers: { host: 'shop.example', origin, ...headers },
      });
      sent.end();
      const [response] = await Promise.race([once(sent, 'response'), once(sent, 'upgrade')]);
      socket.destroy();
      return response.statusCode;
    };
    expect(await statusFor('http://shop.example')).toBe(refused);
    expect(await statusFor('https://shop.example')).toBe(refused === 403 ? 101 : 200);
  },
);

test('with listen.tls.ca, only clients with a certificate of that authority are served, and the log says why others are not', async () => {
  await using certificates = await writeCertificate(first);
  const ca = await certificates.writeAuthority(authority);
  const warnings: unknown[] = [];
  await using server = await startScriptedServer(undefined, {
    listen: { tls: { ...certificates.files, ca } },
    log: { ...silentLog, warn: (...line: unknown[]) => void warnings.push(line) },
  });
  const allowed = await open(server.url, createCertificate({ name: 'client', issuer: authority }));
  expect(await operate(server.url, allowed)).toBe(hello);
  allowed.destroy();
  const other = createCertificate({ name: 'other', isAuthority: true });
  const expired = createCertificate({
    name: 'client',
    issuer: authority,
    notBefore: new Date(Date.now() - 2 * 86_400_000),
    notAfter: new Date(Date.now() - 86_400_000),
  });
  const foreign = createCertificate({ name: 'client', issuer: other });
  for (const client of [undefined, foreign, foreign, expired]) {
    const socket = await open(server.url, client);
    await expect(operate(server.url, socket)).rejects.toThrow(/alert|ECONNRESET|EPIPE|hang up/);
  }
  expect(server.receivedOperations).toHaveLength(1);
  const message = 'A client was refused because of its certificate (listen.tls.ca)';
  expect(warnings).toEqual([
    [{ problem: 'no_certificate', count: 1, message: undefined }, message],
    [{ problem: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', count: 1, message: undefined }, message],
    [{ problem: 'CERT_HAS_EXPIRED', count: 1, message: undefined }, message],
  ]);
});

describe('a request without TLS gets 400 with what to do, and its connection is closed,', () => {
  const body = JSON.stringify({
    errors: [
      {
        message: 'The client sent an HTTP request to an HTTPS server (listen.tls). Use https:// in the URL.',
        extensions: { code: 'BAD_REQUEST' },
      },
    ],
  });
  test.each([
    ['GET', 'GET /graphql?query=%7Bgreeting%7D HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['POST', `POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n${' '.repeat(1000)}`],
    ['POST with a body that is not sent', 'POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n'],
    ['a WebSocket', 'GET /graphql HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'],
  ])('%s', async (_, bytes) => {
    await using certificates = await writeCertificate(first);
    await using server = await startScriptedServer(undefined, { listen: { tls: certificates.files } });
    await using connection = await RawConnection.open(server.url);
    connection.socket.write(bytes);
    const response = await connection.readResponse();
    expect([response.status, response.headers.get('connection'), response.body]).toEqual([
      400,
      'close',
      body,
    ]);
    await connection.waitForClose();
    const socket = await open(server.url);
    expect(await operate(server.url, socket)).toBe(hello);
    socket.destroy();
    expect([server.receivedOperations.length, server.logLines]).toEqual([1, []]);
  });
});

test('clients that reset the connection after a request without TLS do not disturb the listener', async () => {
  await using certificates = await writeCertificate(first);
  await using server = await startScriptedServer(undefined, { listen: { tls: certificates.files } });
  for (let count = 0; count < 50; count += 1) {
    await using connection = await RawConnection.open(server.url);
    const sent = new Promise((resolve) => connection.socket.write('GET / HTTP/1.1\r\n\r\n', resolve));
    await sent;
    connection.socket.resetAndDestroy();
  }
  const socket = await open(server.url);
  expect(await operate(server.url, socket)).toBe(hello);
  socket.destroy();
  expect(server.logLines).toEqual([]);
});

describe('listen.tls', () => {
  const supergraph = { file: demoSupergraphFile };
  test.each([
    [{ cert: 'a.pem' }, 'listen.tls has `cert` without `key`; expected: both of them, or neither'],
    [{ key: 'a.pem' }, 'listen.tls has `key` without `cert`; expected: both of them, or neither'],
    [
      { ca: 'a.pem' },
      'listen.tls has `ca` without `cert`; expected: a certificate of the listener (`cert`, `key`) as well',
    ],
  ])('is refused as %j', async (tls, problem) => {
    await expect(createGateway({ supergraph, listen: { tls } })).rejects.toThrow(problem);
  });

  test('is refused with every file that cannot be used', async () => {
    const created = createGateway({
      supergraph,
      listen: { port: 0, tls: { cert: '/none/cert.pem', key: '/none/key.pem' } },
      admin: { port: 0 },
      subgraphs: { all: { tls: { ca: '/none/ca.pem' } } },
      telemetry: { logLevel: 'silent' },
    });
    await expect(created).rejects.toThrow(
      'The configuration is invalid:\n  listen.tls.cert cannot be used: The certificate file /none/cert.pem does not exist\n  listen.tls.key cannot be used: The key file /none/key.pem does not exist\n  subgraphs.all.tls.ca cannot be used: The file of certificate authorities /none/ca.pem does not exist',
    );
  });
});
