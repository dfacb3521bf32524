import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { Redis, ReplyError } from 'ioredis';
import { isRedisError, RedisFailure } from '../../../gateway/redis/redisFailure.ts';

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
