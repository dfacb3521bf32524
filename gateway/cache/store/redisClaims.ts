import { randomUUID } from 'node:crypto';
import { RedisFailure } from '../../redis/redisFailure.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { StoredEntry } from './entryCodec.ts';
import type { RedisBuckets } from './redisBuckets.ts';
import type { RedisKeys } from './redisKeys.ts';
import { acquireClaims, pausedClaim, releaseClaims } from './redisScripts.ts';

interface RedisClaimsOptions {
  readonly buckets: RedisBuckets;
  readonly keys: RedisKeys;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  now(): number;
  /** Decodes the bytes of an entry; `undefined` if it must not be served. */
  decodeUsable(bucket: number, key: string, bytes: unknown): StoredEntry | undefined;
}

interface ClaimWaitOptions {
  readonly key: string;
  /** Milliseconds. */
  readonly maxMs: number;
  readonly signal: AbortSignal;
  /** Called before each read. */
  onPoll?(): void;
}

/** The state of an entry and its claim at one moment. */
interface ClaimObservation {
  readonly entry: StoredEntry | undefined;
  readonly isClaimed: boolean;
}

const maxUnreleased = 10_000;
const initialPollDelayMs = 4;
const maxPollDelayMs = 50;

/** Claims decide which process fetches the value of a key. A claim is a Redis key next to the entry. It contains the token
 *  of the process that set it, and it expires by itself (decision 0020). After a failed fetch it is paused: no process
 *  refreshes the value, and none waits for it. */
export class RedisClaims {
  readonly #options: RedisClaimsOptions;
  readonly #token = randomUUID();
  /** Keys whose claims were not released, because the connection was lost, or too many commands were in flight. */
  readonly #unreleased = new Set<string>();

  constructor(options: RedisClaimsOptions) {
    this.#options = options;
  }

  /** Implements `CacheStore.claim`. If Redis does not answer in time, several processes may fetch the same value. */
  claim(keys: readonly string[], ttlMs: number): readonly boolean[] | Promise<readonly boolean[]> {
    const { buckets } = this.#options;
    const indexesByBucket = buckets.indexesByBucket(keys);
    const granted = keys.map(() => true);
    if (indexesByBucket.size === 0) return granted;
    return buckets
      .queryEach(
        indexesByBucket,
        (bucket, indexes) => {
          const names = indexes.map((index) => this.#options.keys.claim(bucket, keys[index] ?? ''));
          return buckets.runScript(acquireClaims, names, [this.#token, Math.max(1, Math.ceil(ttlMs))]);
        },
        (_, indexes, reply) => {
          for (const [position, index] of indexes.entries()) granted[index] = reply[position] !== 0;
        },
      )
      .then(() => granted);
  }

  /** Implements `CacheStore.release`. Also releases claims whose confirmation by Redis came too late. */
  release(keys: readonly string[], afterMs: number): void {
    const { buckets } = this.#options;
    if (!buckets.isReady) {
      this.#recordUnreleased(keys);
      return;
    }
    // Redis rejects fractions.
    const args = [this.#token, Math.ceil(afterMs)];
    const names = this.#options.keys;
    for (const [bucket, ofBucket] of Map.groupBy(keys, (key) => names.bucketOf(key))) {
      if (!buckets.hasRoom) {
        this.#recordUnreleased(ofBucket);
        continue;
      }
      const claims = ofBucket.map((key) => names.claim(bucket, key));
      void buckets.runScript(releaseClaims, claims, args).then((reply) => {
        if (reply instanceof RedisFailure) this.#recordUnreleased(ofBucket);
        else this.releaseUnreleased();
      });
    }
  }

  /** To be called when Redis can be used again: other processes wait for the claims that could not be released before. */
  releaseUnreleased(): void {
    const keys = [...this.#unreleased];
    this.#unreleased.clear();
    if (keys.length > 0) this.release(keys, 0);
  }

  #recordUnreleased(keys: readonly string[]): void {
    for (const key of keys) if (this.#unreleased.size < maxUnreleased) this.#unreleased.add(key);
  }

  /** Implements `CacheStore.awaitClaimHolder` by polling. Accepts a fresh entry, or an entry that is newer than the one of
   *  the first observation. */
  awaitHolder({ key, maxMs, signal, onPoll }: ClaimWaitOptions): Promise<StoredEntry | undefined> {
    const { timers, now } = this.#options;
    if (signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      let isOver = false;
      let first: ClaimObservation | undefined;
      let delayMs = initialPollDelayMs;
      let cancelDelay: CancelTimer = () => {};
      const observe = (): Promise<ClaimObservation | undefined> => this.#observe(key);
      const cancelDeadline = timers.after(maxMs, giveUp);
      signal.addEventListener('abort', giveUp);
      void poll();

      function finish(entry: StoredEntry | undefined): void {
        isOver = true;
        cancelDelay();
        cancelDeadline();
        signal.removeEventListener('abort', giveUp);
        resolve(entry);
      }

      function giveUp(): void {
        finish(undefined);
      }

      async function poll(): Promise<void> {
        onPoll?.();
        const observation = await observe();
        if (isOver) return;
        const entry = observation?.entry;
        if (entry !== undefined && (entry.freshUntil > now() || isNewerThanObserved(entry, first)))
          return finish(entry);
        if (observation?.isClaimed !== true) return giveUp();
        first ??= observation;
        cancelDelay = timers.after(delayMs, poll);
        delayMs = Math.min(maxPollDelayMs, delayMs * 2);
      }
    });
  }

  async #observe(key: string): Promise<ClaimObservation | undefined> {
    const { buckets, keys, decodeUsable } = this.#options;
    let observation: ClaimObservation | undefined;
    // One command reads both, because the claim holder first stores the entry and then releases the claim.
    await buckets.queryEach(
      buckets.indexesByBucket([key]),
      (bucket) => buckets.sendCommand('mget', [keys.entry(bucket, key), keys.claim(bucket, key)]),
      (bucket, _, [entry, claim]) => {
        const isClaimed = claim !== null && String(claim) !== pausedClaim;
        observation = { entry: decodeUsable(bucket, key, entry), isClaimed };
      },
    );
    return observation;
  }
}

function isNewerThanObserved(entry: StoredEntry, first: ClaimObservation | undefined): boolean {
  if (first === undefined) return false;
  const { storedAt = Number.NEGATIVE_INFINITY, readVersion = 0 } = first.entry ?? {};
  return entry.storedAt > storedAt || (entry.storedAt === storedAt && entry.readVersion > readVersion);
}
