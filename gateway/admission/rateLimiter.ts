import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ReadClient } from '../redis/readClient.ts';
import { createRedisScript } from '../redis/redisClient.ts';

interface RateLimiterOptions {
  /** Cost that one client may spend in a window. */
  readonly cost: number;
  /** Length of a window in milliseconds. */
  readonly windowMs: number;
  /** What all processes share; `undefined` if this process counts alone. */
  readonly shared?:
    | { readonly redis: Pick<ReadClient, 'runScript' | 'close'>; readonly keyPrefix: string }
    | undefined;
  /** In milliseconds, on a clock that nothing sets back. */
  now(): number;
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
  readonly #windows = new LRUCache<string, { readonly endsAt: number; spent: number }>({
    max: maxLocalClients,
  });

  constructor(options: RateLimiterOptions) {
    this.#options = options;
  }

  /** Spends `cost`, an integer, for a client, unless that is more than the client has left. `clientKey` may have any length. */
  async spend(clientKey: string, cost: number): Promise<RateLimitResult> {
    // The key may be long, or something that should not be stored, such as a token.
    const client = hash('sha256', clientKey, 'base64url');
    const { shared, onFallback } = this.#options;
    if (shared === undefined) return this.#spendLocally(client, cost);
    try {
      return await this.#spendShared(shared, client, cost);
    } catch (error) {
      onFallback(error as Error);
      return this.#spendLocally(client, cost);
    }
  }

  close(): void {
    this.#options.shared?.redis.close();
  }

  #spendLocally(client: string, cost: number): RateLimitResult {
    const { cost: limit, windowMs, now } = this.#options;
    let window = this.#windows.get(client);
    if (window === undefined || window.endsAt <= now()) {
      window = { endsAt: now() + windowMs, spent: 0 };
      this.#windows.set(client, window);
    }
    const isAllowed = window.spent + cost <= limit;
    if (isAllowed) window.spent += cost;
    return { isAllowed, remaining: limit - window.spent, resetMs: Math.ceil(window.endsAt - now()) };
  }

  /** @throws {Error} if Redis does not answer in time. */
  async #spendShared(
    { redis, keyPrefix }: NonNullable<RateLimiterOptions['shared']>,
    client: string,
    cost: number,
  ): Promise<RateLimitResult> {
    const { cost: limit, windowMs } = this.#options;
    const reply = await redis.runScript(
      spendIfAllowed,
      [`${keyPrefix}rate:${client}`],
      [cost, windowMs, limit],
    );
    const [isAllowed, spent, resetMs] = reply as [number, number, number];
    return { isAllowed: isAllowed === 1, remaining: Math.max(0, limit - spent), resetMs };
  }
}

/** `ARGV`: the cost, the window in milliseconds, and the limit. Returns whether the operation is allowed, what is spent, and
 *  the milliseconds until the window ends. A key without an expiry is replaced: its window would never end. */
const spendIfAllowed = createRedisScript(`
local ttl = redis.call('pttl', KEYS[1])
if ttl <= 0 then
  redis.call('set', KEYS[1], 0, 'PX', ARGV[2])
  ttl = tonumber(ARGV[2])
end
local spent = tonumber(redis.call('get', KEYS[1]) or '0')
if spent + ARGV[1] > tonumber(ARGV[3]) then return {0, spent, ttl} end
return {1, redis.call('incrby', KEYS[1], ARGV[1]), ttl}
`);
