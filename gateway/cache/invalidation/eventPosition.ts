import { createRedisScript } from '../../redis/redisClient.ts';
import { RetryingRedisClient, type RetryingRedisClientOptions } from '../../redis/retryingRedisClient.ts';
import { isLaterId } from '../../redis/streamIds.ts';

interface EventPositionOptions extends RetryingRedisClientOptions {
  readonly stream: string;
}

/** Moves the position forward, never backward. KEYS: position. ARGV: id. Parts of ids are compared as text, because Lua
 *  numbers would round them; they have no leading zeros, so the longer one is larger. */
const advancePosition = createRedisScript(`
local function isLater(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end
local saved = redis.call('GET', KEYS[1])
local time, number = string.match(saved or '', '^(%d+)-(%d+)$')
local newTime, newNumber = string.match(ARGV[1], '^(%d+)-(%d+)$')
if not time or isLater(newTime, time) or (newTime == time and isLater(newNumber, number)) then
  redis.call('SET', KEYS[1], ARGV[1])
end
return 1
`);

/** The last handled event of the process that is furthest ahead. A start after all processes were down continues from
 *  it. */
export class EventPosition {
  readonly #redis: RetryingRedisClient;
  readonly #key: string;
  #latest: string | undefined;
  #isSaving = false;

  constructor(options: EventPositionOptions) {
    this.#redis = new RetryingRedisClient(options);
    this.#key = `${options.config.keyPrefix}events:${options.stream}`;
  }

  /** Resolves when Redis answers: with the saved text, which may be an invalid id, or with `undefined` if there is none. */
  async load(): Promise<string | undefined> {
    const reply = await this.#redis.sendCommand('get', [this.#key]);
    return Buffer.isBuffer(reply) ? String(reply) : undefined;
  }

  /** Saves the position in the background. It never moves backward, not even behind positions of other processes. */
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
