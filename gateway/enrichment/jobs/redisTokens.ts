import type { FoundToken, TokenRecord } from './jobStore.ts';
import type { RedisJobContext } from './redisJobContext.ts';

interface RedisTokensOptions extends RedisJobContext {
  readonly expireAfterMs: number;
  /** Maximum number of tokens that are being written at the same time. */
  readonly maxInFlight: number;
}

/** The tokens of all processes. */
export class RedisTokens {
  readonly #options: RedisTokensOptions;
  #inFlight = 0;

  constructor(options: RedisTokensOptions) {
    this.#options = options;
  }

  /** Resolves when Redis has the token, or when this call cannot write it any more. */
  async write(
    { tokenHash, ownerHash, traceparent }: TokenRecord,
    runId: string,
    expiresInMs: number = this.#options.expireAfterMs,
  ): Promise<void> {
    const { redis, keys, maxInFlight } = this.#options;
    const expires = Math.ceil(expiresInMs);
    // Tokens beyond the limit are written by `ReplicatedRuns.recover()` when Redis answers again.
    if (expires <= 0 || this.#inFlight >= maxInFlight) return;
    this.#inFlight += 1;
    const value = `${runId} ${ownerHash}${traceparent === undefined ? '' : ` ${traceparent}`}`;
    await redis.sendCommand('set', [keys.token(tokenHash), value, 'PX', expires]);
    this.#inFlight -= 1;
  }

  async find(tokenHash: string): Promise<FoundToken | undefined> {
    const { redis, keys } = this.#options;
    const reply = await redis.sendCommand('get', [keys.token(tokenHash)]);
    if (!Buffer.isBuffer(reply)) return undefined;
    const [runId = '', ownerHash = '', traceparent] = String(reply).split(' ');
    return { runId, ownerHash, traceparent };
  }
}
