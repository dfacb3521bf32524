import { createRedisScript } from '../../redis/redisClient.ts';
import { RetryingRedisClient, type RetryingRedisClientOptions } from '../../redis/retryingRedisClient.ts';
import { isLaterId } from '../../redis/streamIds.ts';

interface EventPositionOptions extends RetryingRedisClientOptions {
  readonly stream: string;
}

/** KEYS: position. ARGV: id. Ids have no zeros in front, so the longer number is the larger one; as numbers of Lua
 *  they would be rounded. */
const advancePosition = createRedisScript(`
local function isLater(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end
local there = redis.call('GET', KEYS[1])
local time, number = string.match(there or '', '^(%d+)-(%d+)$')
local newTime, newNumber = string.match(ARGV[1], '^(%d+)-(%d+)$')
if not time or isLater(newTime, time) or (newTime == time and isLater(newNumber, number)) then
  redis.call('SET', KEYS[1], ARGV[1])
end
return 1
`);

/** The last event that has been handled, by whichever process is the furthest, for a start after all have been down. */
export class EventPosition {
  readonly #redis: RetryingRedisClient;
  readonly #key: string;
  #latest: string | undefined;
  #isSaving = false;

  constructor(options: EventPositionOptions) {
    this.#redis = new RetryingRedisClient(options);
    this.#key = `${options.config.keyPrefix}events:${options.stream}`;
  }

  /** Resolves as soon as Redis can be asked: with an id, nothing where there is none, or text that is no id. */
  async load(): Promise<string | undefined> {
    const reply = await this.#redis.sendCommand('get', [this.#key]);
    return Buffer.isBuffer(reply) ? String(reply) : undefined;
  }

  /** Never moves backwards, not even past what other processes have saved. Later than this returns. */
  save(id: string): void {
    if (this.#latest !== undefined && !isLaterId(id, this.#latest)) return;
    this.#latest = id;
    if (!this.#isSaving) void this.#saveLatest();
  }

  close(): void {
    this.#redis.close();
  }

  async #saveLatest(): Promise<void> {
    this.#isSaving = true;
    let saved: string | undefined;
    while (saved !== this.#latest && !this.#redis.isClosed) {
      saved = this.#latest;
      await this.#redis.runScript(advancePosition, [this.#key], [saved ?? '']);
    }
    this.#isSaving = false;
  }
}
