import type { PatientRedis } from '../../redis/patientRedis.ts';
import type { LateKeys } from './lateKeys.ts';
import type { FoundToken, TokenRecord } from './lateStore.ts';

export interface RedisTokensOptions {
  readonly redis: PatientRedis;
  readonly keys: LateKeys;
  /** Milliseconds that a token is good for. */
  readonly expireAfter: number;
  /** Most that are being written at a time. */
  readonly mostUnderWay: number;
}

/** Which work a token leads to, for all processes. */
export class RedisTokens {
  readonly #options: RedisTokensOptions;
  #underWay = 0;

  constructor(options: RedisTokensOptions) {
    this.#options = options;
  }

  /** Resolves when Redis has it, or never will from here. */
  async write(
    { tokenHash, identityHash }: TokenRecord,
    workId: string,
    expiresInMs: number = this.#options.expireAfter,
  ): Promise<void> {
    const { redis, keys, mostUnderWay } = this.#options;
    const expires = Math.ceil(expiresInMs);
    // What is left out because Redis does not answer is told when it does.
    if (expires <= 0 || this.#underWay >= mostUnderWay) return;
    this.#underWay += 1;
    await redis.ask('set', [keys.token(tokenHash), `${workId} ${identityHash}`, 'PX', expires]);
    this.#underWay -= 1;
  }

  async find(tokenHash: string): Promise<FoundToken | undefined> {
    const { redis, keys } = this.#options;
    const reply = await redis.ask('get', [keys.token(tokenHash)]);
    if (!Buffer.isBuffer(reply)) return undefined;
    const [workId = '', identityHash = ''] = String(reply).split(' ');
    return { workId, identityHash };
  }
}
