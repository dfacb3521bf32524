import type {
  CacheDescription,
  CacheEntry,
  CacheResults,
  CacheStore,
  CacheWrite,
  InvalidationResult,
  ReadVersion,
} from '../../../../gateway/cache/store/cacheStore.ts';
import { MemoryStore } from '../../../../gateway/cache/store/memoryStore.ts';
import type { Timers } from '../../../../gateway/time/timers.ts';

interface Claim {
  readonly owner: number;
  endsAt: number;
  isReleased: boolean;
}

/** The entries and claims that the stores of several processes share. */
export class ModelEntries {
  readonly memory: MemoryStore;
  readonly now: () => number;
  readonly timers: Timers;
  readonly #claims = new Map<string, Claim>();

  constructor(now: () => number, timers: Timers) {
    this.memory = new MemoryStore({ maxSize: 10_000_000, now });
    this.now = now;
    this.timers = timers;
  }

  claimOf(key: string): Claim | undefined {
    const claim = this.#claims.get(key);
    if (claim === undefined || this.now() < claim.endsAt) return claim;
    this.#claims.delete(key);
    return undefined;
  }

  setClaim(key: string, claim: Claim): void {
    this.#claims.set(key, claim);
  }

  /** The number of claims that were not released. */
  get heldClaims(): number {
    return [...this.#claims.values()].filter(({ isReleased }) => !isReleased).length;
  }
}

/** The store of one process. Every reply takes one turn of the microtasks, and claims work between processes. */
export class ModelStore implements CacheStore {
  readonly #shared: ModelEntries;
  readonly #owner: number;

  constructor(shared: ModelEntries, owner: number) {
    this.#shared = shared;
    this.#owner = owner;
  }

  get version(): string {
    return this.#shared.memory.version;
  }

  beginRead(): ReadVersion {
    return this.#shared.memory.beginRead();
  }

  async getMany(keys: readonly string[]): Promise<CacheResults> {
    await null;
    return this.#shared.memory.getMany(keys);
  }

  setMany(entries: readonly CacheWrite[], since: ReadVersion): void {
    this.#shared.memory.setMany(entries, since);
  }

  async deleteByTags(tags: readonly string[]): Promise<InvalidationResult> {
    await null;
    return this.#shared.memory.deleteByTags(tags);
  }

  async claim(keys: readonly string[], ttlMs: number): Promise<readonly boolean[]> {
    const granted = keys.map((key) => {
      if (this.#shared.claimOf(key) !== undefined) return false;
      const endsAt = this.#shared.now() + ttlMs;
      this.#shared.setClaim(key, { owner: this.#owner, endsAt, isReleased: false });
      return true;
    });
    await null;
    return granted;
  }

  release(keys: readonly string[], afterMs: number): void {
    for (const key of keys) {
      const claim = this.#shared.claimOf(key);
      if (claim?.owner !== this.#owner) continue;
      claim.endsAt = this.#shared.now() + afterMs;
      claim.isReleased = true;
    }
  }

  awaitClaimHolder(key: string, maxMs: number, signal: AbortSignal): Promise<CacheEntry | undefined> {
    const { memory, timers, now } = this.#shared;
    const endsAt = now() + maxMs;
    const [before] = memory.getMany([key]);
    return new Promise((resolve) => {
      const poll = (): void => {
        const [entry] = memory.getMany([key]);
        const isNews = entry !== undefined && (entry.freshUntil > now() || entry !== before);
        if (signal.aborted) resolve(undefined);
        else if (isNews) resolve(entry);
        else if (this.#shared.claimOf(key)?.isReleased !== false || now() >= endsAt) resolve(undefined);
        else {
          const stop = timers.after(4, poll);
          signal.addEventListener('abort', () => {
            stop();
            resolve(undefined);
          });
        }
      };
      poll();
    });
  }

  describe(key: string): Promise<CacheDescription | undefined> {
    return this.#shared.memory.describe(key);
  }

  keysWithTag(tag: string, limit: number): Promise<string[]> {
    return this.#shared.memory.keysWithTag(tag, limit);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
