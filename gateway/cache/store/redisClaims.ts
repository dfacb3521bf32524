import { randomUUID } from 'node:crypto';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { StoredEntry } from './entryCodec.ts';
import type { RedisBuckets } from './redisBuckets.ts';
import type { RedisKeys } from './redisKeys.ts';
import { acquireClaims, releaseClaims } from './redisScripts.ts';

interface RedisClaimsOptions {
  readonly buckets: RedisBuckets;
  readonly keys: RedisKeys;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  now(): number;
  /** What may be served of the bytes under the key of an entry. */
  decodeUsable(bucket: number, key: string, bytes: unknown): StoredEntry | undefined;
}

interface ClaimWaitOptions {
  readonly key: string;
  /** Milliseconds. */
  readonly maxMs: number;
  readonly signal: AbortSignal;
  /** Called each time before Redis is asked. */
  onPoll?(): void;
}

/** An entry and its claim, at one time. */
interface ClaimObservation {
  readonly entry: StoredEntry | undefined;
  readonly isClaimed: boolean;
}

// A fetch takes some milliseconds or much longer.
const initialPollDelayMs = 4;
const maxPollDelayMs = 50;

/** Which process fetches what: a claim is a key beside the entry, which has the token of the process that set it
 *  first and expires by itself. `docs/decisions/` has why. */
export class RedisClaims {
  readonly #options: RedisClaimsOptions;
  readonly #token = randomUUID();

  constructor(options: RedisClaimsOptions) {
    this.#options = options;
  }

  /** As `CacheStore.claim`. A Redis that cannot say in time costs calls of subgraphs, and never time. */
  claim(keys: readonly string[], ttlMs: number): readonly boolean[] | Promise<readonly boolean[]> {
    const { buckets } = this.#options;
    // A key that is there twice would find its own claim.
    const unique = [...new Set(keys)];
    const places = buckets.indexesByBucket(unique);
    if (places.size === 0) return keys.map(() => true);
    const refused = new Set<string>();
    return buckets
      .queryEach(
        places,
        (bucket, ofBucket) => {
          const names = ofBucket.map((place) => this.#options.keys.claim(bucket, unique[place] ?? ''));
          return buckets.runScript(acquireClaims, names, [this.#token, Math.max(1, Math.ceil(ttlMs))]);
        },
        (_, ofBucket, reply) => {
          for (const [index, place] of ofBucket.entries()) {
            if (reply[index] === 0) refused.add(unique[place] ?? '');
          }
        },
      )
      .then(() => keys.map((key) => !refused.has(key)));
  }

  /** As `CacheStore.release`. Also claims of which Redis did not say in time that it had set them. */
  release(keys: readonly string[], afterMs: number): void {
    const { buckets } = this.#options;
    if (!buckets.isReady) return;
    // Redis takes no fractions.
    const args = [this.#token, Math.ceil(afterMs)];
    for (const names of this.#claimKeysByBucket(keys).values()) {
      if (buckets.hasRoom) void buckets.runScript(releaseClaims, names, args);
    }
  }

  /** As `CacheStore.awaitOther`. What is there at the first look counts if it is fresh, after that also what is newer
   *  than it. */
  awaitHolder({ key, maxMs, signal, onPoll }: ClaimWaitOptions): Promise<StoredEntry | undefined> {
    const { timers, now } = this.#options;
    if (signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      let isOver = false;
      let before: ClaimObservation | undefined;
      let pauseMs = initialPollDelayMs;
      let cancelPause: CancelTimer = () => {};
      const end = (entry: StoredEntry | undefined): void => {
        isOver = true;
        cancelPause();
        cancelDeadline();
        signal.removeEventListener('abort', giveUp);
        resolve(entry);
      };
      const giveUp = (): void => end(undefined);
      const look = async (): Promise<void> => {
        onPoll?.();
        const found = await this.#observe(key);
        if (isOver) return;
        const entry = found?.entry;
        if (entry !== undefined && (entry.freshUntil > now() || isNewerThanObserved(entry, before)))
          return end(entry);
        if (found?.isClaimed !== true) return giveUp();
        before ??= found;
        cancelPause = timers.after(pauseMs, look);
        pauseMs = Math.min(maxPollDelayMs, pauseMs * 2);
      };
      const cancelDeadline = timers.after(maxMs, giveUp);
      signal.addEventListener('abort', giveUp);
      void look();
    });
  }

  async #observe(key: string): Promise<ClaimObservation | undefined> {
    const { buckets, keys, decodeUsable } = this.#options;
    let found: ClaimObservation | undefined;
    // Both at one time: who has the claim stores first, and gives it back then.
    await buckets.queryEach(
      buckets.indexesByBucket([key]),
      (bucket) => buckets.sendCommand('mget', [keys.entry(bucket, key), keys.claim(bucket, key)]),
      (bucket, _, [entry, claim]) => {
        found = { entry: decodeUsable(bucket, key, entry), isClaimed: claim !== null };
      },
    );
    return found;
  }

  #claimKeysByBucket(keys: readonly string[]): Map<number, string[]> {
    const names = new Map<number, string[]>();
    for (const key of keys) {
      const bucket = this.#options.keys.bucketOf(key);
      const name = this.#options.keys.claim(bucket, key);
      const there = names.get(bucket);
      if (there === undefined) names.set(bucket, [name]);
      else there.push(name);
    }
    return names;
  }
}

function isNewerThanObserved(entry: StoredEntry, before: ClaimObservation | undefined): boolean {
  if (before === undefined) return false;
  const { storedAt = Number.NEGATIVE_INFINITY, readVersion = 0 } = before.entry ?? {};
  return entry.storedAt > storedAt || (entry.storedAt === storedAt && entry.readVersion > readVersion);
}
