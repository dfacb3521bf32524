import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import type { RateLimitStore } from './rateLimitStore.ts';

interface RateLimiterOptions {
  /** Cost that one client may spend in a window. */
  readonly cost: number;
  /** Length of a window in milliseconds. */
  readonly windowMs: number;
  /** What all processes share; `undefined` if this process counts alone. */
  readonly shared?: { readonly store: RateLimitStore; readonly keyPrefix: string } | undefined;
  /** The shared count is not available, so that this process counts alone. */
  onFallback(error: Error): void;
}

export interface RateLimitResult {
  readonly isAllowed: boolean;
  /** Cost that the client may still spend in its window. */
  readonly remaining: number;
  /** Milliseconds until the client's window ends. */
  readonly resetMs: number;
}

/** Bounds the memory for clients that were seen in this window. The least recently seen one starts anew. */
const maxLocalClients = 100_000;

/** Limits the cost that each client spends in a window, which begins with its first operation. A refused operation spends
 *  nothing. With Redis, all processes share the count; as long as Redis does not answer, each process counts alone. */
export class RateLimiter {
  readonly #options: RateLimiterOptions;
  readonly #local: RateLimiterMemory;
  readonly #shared: RateLimiterRedis | undefined;
  readonly #localClients: LRUCache<string, true>;

  constructor(options: RateLimiterOptions) {
    const { cost: points, windowMs, shared } = options;
    const duration = windowMs / 1_000;
    this.#options = options;
    this.#local = new RateLimiterMemory({ points, duration, keyPrefix: '' });
    this.#localClients = new LRUCache({
      max: maxLocalClients,
      dispose: (_, client, reason) => {
        if (reason === 'evict') void this.#local.delete(client);
      },
    });
    this.#shared =
      shared &&
      new RateLimiterRedis({
        storeClient: shared.store,
        points,
        duration,
        keyPrefix: `${shared.keyPrefix}rate`,
        customIncrTtlLuaScript: spendIfAllowed,
      });
  }

  /** Spends `cost` for a client, unless that is more than the client has left. `clientKey` may have any length. */
  async spend(clientKey: string, cost: number): Promise<RateLimitResult> {
    // The key may be long, or something that should not be stored, such as a token.
    const client = hash('sha256', clientKey, 'base64url');
    try {
      if (this.#shared !== undefined) return this.#toResult(await consume(this.#shared, client, cost), cost);
    } catch (error) {
      this.#options.onFallback(error as Error);
    }
    if (this.#localClients.get(client) === undefined) this.#localClients.set(client, true);
    const result = this.#toResult(await consume(this.#local, client, cost), cost);
    // Unlike the script, the library's memory spends for a refused operation, too.
    if (!result.isAllowed) void this.#local.reward(client, cost);
    return result;
  }

  close(): void {
    this.#options.shared?.store.close();
  }

  #toResult({ consumedPoints, msBeforeNext }: RateLimiterRes, cost: number): RateLimitResult {
    const isAllowed = consumedPoints <= this.#options.cost;
    const spent = isAllowed ? consumedPoints : consumedPoints - cost;
    return {
      isAllowed,
      remaining: Math.max(0, this.#options.cost - spent),
      // The library reckons with the wall clock, which may have been set back, but ends the window by a timer.
      resetMs: Math.min(msBeforeNext, this.#options.windowMs),
    };
  }
}

/** @throws {Error} if the store fails. */
async function consume(limiter: RateLimiterAbstract, key: string, cost: number): Promise<RateLimiterRes> {
  try {
    return await limiter.consume(key, cost);
  } catch (refused) {
    if (refused instanceof RateLimiterRes) return refused;
    throw refused;
  }
}

/** The library passes the key, the cost, the window in whole seconds, and the limit. Returns what is spent with this
 *  operation, even if it is not allowed, and the milliseconds until the window ends. A key without an expiry is replaced:
 *  its window would never end. */
const spendIfAllowed = `
local spent = tonumber(ARGV[1])
local windowMs = tonumber(ARGV[2]) * 1000
local ttl = redis.call('pttl', KEYS[1])
local isNew = ttl <= 0
if isNew then ttl = windowMs else spent = spent + tonumber(redis.call('get', KEYS[1]) or '0') end
if spent <= tonumber(ARGV[3]) then
  if isNew then
    redis.call('set', KEYS[1], spent, 'PX', windowMs)
  else
    redis.call('incrby', KEYS[1], ARGV[1])
  end
end
return {spent, ttl}
`;
