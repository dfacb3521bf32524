import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { Redis, ReplyError } from 'ioredis';
import { describeConnectionError, isRedisError, RedisFailure } from '../../../gateway/redis/redisFailure.ts';

async function closedConnectionError(): Promise<unknown> {
  const redis = new Redis({ lazyConnect: true });
  redis.disconnect();
  return redis.get('any').catch((error: unknown) => error);
}

function refusedConnectionError(): Promise<unknown> {
  return new Promise((resolve) => connect(1, '127.0.0.1').on('error', resolve));
}

test.each<[string, unknown, boolean]>([
  ['a refusal of the server', new ReplyError('WRONGTYPE Operation against a key'), true],
  ['a connection that was closed', await closedConnectionError(), true],
  ['a connection that was refused', await refusedConnectionError(), true],
  ['a Cluster that is closed', new Error('Cluster is ended.'), true],
  ['a fault of the program', new TypeError('run is undefined'), false],
  ['a stored value that is no JSON', new SyntaxError('Unexpected end of JSON input'), false],
  ['a state that BullMQ does not expect', new Error('Missing key for job a.1. updateData'), false],
  ['a value that is no error', undefined, false],
])('%s is classified by its cause', (_, error, isOfRedis) => {
  expect(isRedisError(error)).toBe(isOfRedis);
});

test('a command whose connection is lost fails with a message that names no option of ioredis', async () => {
  await using server = createServer((socket) => socket.once('data', () => socket.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const redis = new Redis({
    port: (server.address() as AddressInfo).port,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
    retryStrategy: () => 1,
    disconnectTimeout: 0,
  });
  redis.on('error', () => {});
  const error = await redis.get('any').catch((reason: unknown) => reason);
  redis.disconnect();
  expect(new RedisFailure(error)).toMatchObject({
    kind: 'unreachable',
    cause: { message: 'The connection was lost before Redis answered.' },
  });
});

const clientHint =
  'if every new connection ends so, the server refuses the client certificate (`redis.tls.certificate`), or demands one';
const opensslHint =
  'or a certificate was refused: `openssl s_client -connect HOST:PORT` with the files of `redis.tls` shows the reason';
const altnames = "Hostname/IP does not match certificate's altnames";

test.each([
  ['write ECONNRESET', 'a:1 with TLS', `a:1 with TLS: write ECONNRESET; ${clientHint}`],
  ['write ECONNRESET', 'a:1', 'a:1: write ECONNRESET'],
  [
    'Failed to refresh slots cache. Last error: Connection is closed.',
    'a:1 with TLS',
    `a:1 with TLS: Failed to refresh slots cache. Last error: the connection was refused, was closed, or timed out, ${opensslHint}`,
  ],
  ['Connection is closed.', 'a:1', 'a:1: the connection was refused, was closed, or timed out'],
  [
    `${altnames}: Host: a. is not in the cert's altnames: DNS:b`,
    'a:1 with TLS',
    'a:1 with TLS: the certificate of the server is not for a, but for DNS:b; set `redis.tls.serverName` to one of its names',
  ],
  [
    'self-signed certificate',
    'a:1 with TLS',
    'a:1 with TLS: self-signed certificate; name its root authority in `redis.tls.ca`, or start with NODE_OPTIONS=--use-system-ca if this machine trusts it',
  ],
  [
    'error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:rec_layer_s3.c:918:',
    'a:1 with TLS',
    'a:1 with TLS: the server demands a client certificate; set `redis.tls.certificate`',
  ],
])(
  'the failed connection %j to %s is described with the option that may be wrong',
  (message, address, text) => {
    expect(describeConnectionError(new Error(message), address)).toBe(text);
  },
);
