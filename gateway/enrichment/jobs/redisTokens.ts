import type { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import type { JobKeys } from './jobKeys.ts';
import type { FoundToken, TokenRecord } from './jobStore.ts';

interface RedisTokensOptions {
  readonly redis: RetryingRedisClient;
  readonly keys: JobKeys;
  /** Milliseconds that a token is good for. */
  readonly expireAfterMs: number;
  /** Most that are being written at a time. */
  readonly maxInFlight: number;
}

/** Which work a token leads to, for all processes. */
export class RedisTokens {
  readonly #options: RedisTokensOptions;
  #inFlight = 0;

  constructor(options: RedisTokensOptions) {
    this.#options = options;
  }

  /** Resolves when Redis has it, or never will from here. */
  async write(
    { tokenHash, identityHash }: TokenRecord,
    workId: string,
    expiresInMs: number = this.#options.expireAfterMs,
  ): Promise<void> {
    const { redis, keys, maxInFlight } = this.#options;
    const expires = Math.ceil(expiresInMs);
    // What is left out because Redis does not answer is told when it does.
    if (expires <= 0 || this.#inFlight >= maxInFlight) return;
    this.#inFlight += 1;
    await redis.sendCommand('set', [keys.token(tokenHash), `${workId} ${identityHash}`, 'PX', expires]);
    this.#inFlight -= 1;
  }

  async find(tokenHash: string): Promise<FoundToken | undefined> {
    const { redis, keys } = this.#options;
    const reply = await redis.sendCommand('get', [keys.token(tokenHash)]);
    if (!Buffer.isBuffer(reply)) return undefined;
    const [workId = '', identityHash = ''] = String(reply).split(' ');
    return { runId: workId, identityHash };
  }
}
