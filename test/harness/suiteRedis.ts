import { afterAll } from '@jest/globals';
import type { Redis } from 'ioredis';
import { connectRedis, type DedicatedRedisServer, startDedicatedRedis } from './redis.ts';

/** A server for the tests of one file, which may stop it. */
interface SuiteRedis {
  readonly server: DedicatedRedisServer;
  /** A client for all tests, created at the first use. */
  readonly redis: Redis;
}

/** Starts a Redis, and ends it after the tests of the file. `options`: see `startDedicatedRedis`. */
export async function startSuiteRedis(options?: readonly string[]): Promise<SuiteRedis> {
  const server = await startDedicatedRedis(options);
  let redis: Redis | undefined;
  afterAll(async () => {
    redis?.disconnect();
    await server[Symbol.asyncDispose]();
  });
  return {
    server,
    get redis() {
      redis ??= connectRedis(server.url);
      return redis;
    },
  };
}
