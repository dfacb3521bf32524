import { connect } from 'node:net';
import { expect, test } from '@jest/globals';
import { Redis, ReplyError } from 'ioredis';
import { isRedisError } from '../../../gateway/redis/redisFailure.ts';

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
