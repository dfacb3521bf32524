import { afterAll } from '@jest/globals';
import type { Redis } from 'ioredis';
import { connectRedis, type DedicatedRedisServer, startDedicatedRedis } from './redis.ts';

/** A server for the tests of one file, which may stop it. */
export interface SuiteRedis {
  readonly server: DedicatedRedisServer;
  /** A client for all tests, created at the first use. */
  readonly redis: Redis;
}

/** Starts a Redis, and ends it after the tests of the file. */
export async function startSuiteRedis(): Promise<SuiteRedis> {
  const server = await startDedicatedRedis();
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
