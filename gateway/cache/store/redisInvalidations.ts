import type { RedisArgument, RedisScript } from '../../redis/redisClient.ts';
import { RedisFailure } from '../../redis/redisFailure.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { InvalidationResult } from './cacheStore.ts';
import type { StoredEntry } from './entryCodec.ts';
import type { RedisKeys } from './redisKeys.ts';
import { allocateSequence, deleteTaggedEntries } from './redisScripts.ts';
import type { StoreProblems } from './storeProblems.ts';

export interface Invalidation {
  readonly sequence: number;
  readonly tags: readonly string[];
}

interface RedisInvalidationsOptions {
  readonly keys: RedisKeys;
  /** Name of this process, by which it knows its own messages. */
  readonly senderId: string;
  readonly timers: Timers;
  readonly problems: StoreProblems;
  sendCommand(command: string, args: readonly RedisArgument[]): Promise<unknown>;
  runScript(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
}

// Of one bucket, of the log, and in this process.
const maxRememberedTags = 10_000;
const tagBatchSize = 500;
const deletionBatchSize = 1_000;
const maxFailedTags = 100_000;
const retryIntervalMs = 1_000;

/** The numbers of invalidations, which say what overtook what. `docs/decisions/` has how they work. */
export class RedisInvalidations {
  readonly #options: RedisInvalidationsOptions;
  /** Of the tags that were invalidated last, the numbers: for entries that were not found by their tags. */
  readonly #sequenceByTag = new Map<string, number>();
  /** Tags of invalidations that are under way. */
  readonly #inProgress = new Map<string, number>();
  /** Tags of those that failed, to be tried again. */
  readonly #failedTags = new Set<string>();
  #latestSequence = 0;
  #isRetrying = false;
  #cancelRetry: CancelTimer | undefined;
  #isClosed = false;

  constructor(options: RedisInvalidationsOptions) {
    this.#options = options;
  }

  /** The largest number that this process has seen. What begins to be read now, begins after that invalidation. */
  get latestSequence(): number {
    return this.#latestSequence;
  }

  advanceTo(number: number): void {
    if (number > this.#latestSequence) this.#latestSequence = number;
  }

  /** Another process has done this. */
  record({ sequence, tags }: Invalidation): void {
    this.advanceTo(sequence);
    for (const tag of tags) {
      if ((this.#sequenceByTag.get(tag) ?? 0) >= sequence) continue;
      // To the end, so that the oldest leaves first.
      this.#sequenceByTag.delete(tag);
      this.#sequenceByTag.set(tag, sequence);
    }
    for (const oldest of this.#sequenceByTag.keys()) {
      if (this.#sequenceByTag.size <= maxRememberedTags) break;
      this.#sequenceByTag.delete(oldest);
    }
  }

  /** Whether an entry that Redis still has must not be served. */
  isInvalidated({ tags, readVersion }: StoredEntry): boolean {
    if (this.#sequenceByTag.size + this.#inProgress.size + this.#failedTags.size === 0) return false;
    return tags.some(
      (tag) =>
        (this.#sequenceByTag.get(tag) ?? 0) > readVersion ||
        this.#inProgress.has(tag) ||
        this.#failedTags.has(tag),
    );
  }

  /** Resolves when it is done, or `deadline` milliseconds are over; then it goes on by itself. */
  delete(tags: readonly string[], deadline: number): Promise<InvalidationResult> {
    const unique = [...new Set(tags)];
    if (unique.length === 0) return Promise.resolve({ deleted: 0, isPending: false });
    return new Promise((resolve) => {
      const progress = { deleted: 0 };
      const cancelTimer = this.#options.timers.after(deadline, () => {
        resolve({ deleted: progress.deleted, isPending: true });
      });
      void this.#deleteAll(unique, progress).then((isDone) => {
        cancelTimer();
        resolve({ deleted: progress.deleted, isPending: !isDone });
      });
    });
  }

  /** Makes every bucket able to take writes, learns the number to begin with, and does what had to wait. False
   *  where Redis does not let it. */
  async prepare(): Promise<boolean> {
    const { keys, sendCommand } = this.#options;
    const buckets = Array.from({ length: keys.buckets }, (_, bucket) => bucket);
    const states = await Promise.all(
      buckets.map((bucket) => sendCommand('hmget', [keys.state(bucket), 'floor', 'latest'])),
    );
    const lost = buckets.filter((bucket) => {
      const state = states[bucket];
      return Array.isArray(state) && state.includes(null);
    });
    if (lost.length > 0 && !(await this.#initializeBuckets(lost))) return false;
    // Another process may have been faster, and have a larger number.
    const last = await sendCommand('get', [keys.sequence]);
    if (last instanceof RedisFailure) return false;
    if (last !== null) this.advanceTo(Number(String(last)));
    else if ((await this.#allocateSequence([])) === undefined) return false;
    await this.#retry();
    return states.every(Array.isArray);
  }

  /** Lets buckets take writes that knew nothing any more. Nothing may be stored that began to be read before: which
   *  invalidations there were is not known. */
  async #initializeBuckets(buckets: readonly number[]): Promise<boolean> {
    const { keys, sendCommand } = this.#options;
    const number = await this.#allocateSequence([]);
    if (number === undefined) return false;
    const replies = await Promise.all(
      buckets.flatMap((bucket) =>
        ['latest', 'floor'].map((field) => sendCommand('hsetnx', [keys.state(bucket), field, number])),
      ),
    );
    return !replies.some((reply) => reply instanceof RedisFailure);
  }

  /** Learns what was invalidated while nobody listened. */
  async readLog(): Promise<void> {
    const { keys, sendCommand } = this.#options;
    const reply = await sendCommand('zrange', [keys.log, 0, -1, 'WITHSCORES']);
    if (!Array.isArray(reply)) return;
    // Pairs, or one after the other: by the version of the protocol.
    const flat = reply.flat();
    for (let index = 0; index + 1 < flat.length; index += 2) {
      this.record({ sequence: Number(flat[index + 1]), tags: [String(flat[index])] });
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry?.();
    if (this.#failedTags.size > 0) this.#options.problems.report('invalidation lost');
  }

  async #deleteAll(tags: readonly string[], progress: { deleted: number }): Promise<boolean> {
    for (const tag of tags) this.#inProgress.set(tag, (this.#inProgress.get(tag) ?? 0) + 1);
    let isDone = true;
    for (let from = 0; from < tags.length; from += tagBatchSize) {
      const some = tags.slice(from, from + tagBatchSize);
      if (await this.#deleteBatch(some, progress)) continue;
      isDone = false;
      this.#enqueueRetry(some);
    }
    for (const tag of tags) {
      const times = (this.#inProgress.get(tag) ?? 1) - 1;
      if (times === 0) this.#inProgress.delete(tag);
      else this.#inProgress.set(tag, times);
    }
    return isDone;
  }

  async #deleteBatch(tags: readonly string[], progress: { deleted: number }): Promise<boolean> {
    const { keys } = this.#options;
    const number = await this.#allocateSequence(tags);
    if (number === undefined) return false;
    const buckets = Array.from({ length: keys.buckets }, (_, bucket) => bucket);
    this.record({ sequence: number, tags });
    const done = await Promise.all(
      buckets.map((bucket) => this.#deleteInBucket(bucket, number, tags, progress)),
    );
    return !done.includes(false);
  }

  async #deleteInBucket(
    bucket: number,
    number: number,
    tags: readonly string[],
    progress: { deleted: number },
  ): Promise<boolean> {
    const { keys, runScript } = this.#options;
    const names = [keys.state(bucket), ...tags.map((tag) => keys.tag(bucket, tag))];
    for (;;) {
      const reply = await runScript(deleteTaggedEntries, names, [
        number,
        maxRememberedTags,
        deletionBatchSize,
        ...tags,
      ]);
      if (!Array.isArray(reply)) return false;
      progress.deleted += Number(reply[0]);
      if (Number(reply[1]) === 0) return true;
    }
  }

  /** With tags, others hear of it at once: they know by the number what they must not serve, whether or not it has
   *  been deleted. */
  async #allocateSequence(tags: readonly string[]): Promise<number | undefined> {
    const { keys, runScript, senderId } = this.#options;
    const message = `${JSON.stringify({ from: senderId, tags }).slice(0, -1)},"number":`;
    const args = [maxRememberedTags, keys.channel, message, ...tags];
    const reply = await runScript(allocateSequence, [keys.sequence, keys.log], args);
    if (!Buffer.isBuffer(reply)) return undefined;
    const number = Number(String(reply));
    this.advanceTo(number);
    return number;
  }

  #enqueueRetry(tags: readonly string[]): void {
    for (const tag of tags) {
      if (this.#failedTags.size < maxFailedTags) this.#failedTags.add(tag);
      else this.#options.problems.report('invalidation lost');
    }
    this.#scheduleRetry();
  }

  #scheduleRetry(): void {
    if (this.#isClosed || this.#cancelRetry !== undefined) return;
    this.#cancelRetry = this.#options.timers.after(retryIntervalMs, () => {
      this.#cancelRetry = undefined;
      void this.#retry();
    });
  }

  async #retry(): Promise<void> {
    if (this.#isRetrying || this.#isClosed || this.#failedTags.size === 0) return;
    this.#isRetrying = true;
    const tags = [...this.#failedTags];
    this.#failedTags.clear();
    await this.#deleteAll(tags, { deleted: 0 });
    this.#isRetrying = false;
  }
}
