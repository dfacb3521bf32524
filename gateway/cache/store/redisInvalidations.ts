import type { RedisArgument, RedisScript } from '../../redis/redisClient.ts';
import { RedisFailure } from '../../redis/redisFailure.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { withTimeout } from '../../time/withTimeout.ts';
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
  /** Identifies this process as the sender, so that it ignores its own messages. */
  readonly senderId: string;
  readonly timers: Timers;
  readonly problems: StoreProblems;
  sendCommand(command: string, args: readonly RedisArgument[]): Promise<unknown>;
  runScript(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
}

// In the state of one bucket, in the log, and in this process.
const maxRememberedTags = 10_000;
const tagBatchSize = 500;
const deletionBatchSize = 1_000;
const maxFailedTags = 100_000;
const retryIntervalMs = 1_000;
const maxReportedTags = 20;

/** Invalidates entries in Redis. Sequence numbers, shared by all processes, tell which writes an invalidation must reject
 *  (decision 0018). */
export class RedisInvalidations {
  readonly #options: RedisInvalidationsOptions;
  /** The sequence numbers of recently invalidated tags, to reject entries that are still in Redis. */
  readonly #sequenceByTag = new Map<string, number>();
  /** Tags of running invalidations, with their number. */
  readonly #inProgress = new Map<string, number>();
  /** Tags of failed invalidations, which are retried. */
  readonly #failedTags = new Set<string>();
  #latestSequence = 0;
  /** The largest sequence number of the invalidations whose tags are known. */
  #latestRecorded = 0;
  /** Invalidations before this number may be unknown, because Redis has lost its log. */
  #floor = 0;
  /** How many invalidations this process has begun. */
  #begunCount = 0;
  readonly #idleWaiters: (() => void)[] = [];
  #isRetrying = false;
  #cancelRetry: CancelTimer | undefined;
  #isClosed = false;

  constructor(options: RedisInvalidationsOptions) {
    this.#options = options;
  }

  /** The largest sequence number that this process has seen: reads that begin now begin after that invalidation. */
  get latestSequence(): number {
    return this.#latestSequence;
  }

  /** See `CacheStore`. Unique while Redis, and with it other processes, may not know of an invalidation of this process. */
  get version(): string {
    if (this.#isIdle) return String(this.#latestRecorded);
    return `${this.#latestRecorded}.${this.#begunCount}.${this.#options.senderId}`;
  }

  advanceTo(sequence: number): void {
    if (sequence > this.#latestSequence) this.#latestSequence = sequence;
  }

  /** Records an invalidation, also of another process. */
  record({ sequence, tags }: Invalidation): void {
    this.advanceTo(sequence);
    this.#latestRecorded = Math.max(this.#latestRecorded, sequence);
    for (const tag of tags) {
      if ((this.#sequenceByTag.get(tag) ?? 0) >= sequence) continue;
      // Moves the tag to the end, because the oldest tags are forgotten first.
      this.#sequenceByTag.delete(tag);
      this.#sequenceByTag.set(tag, sequence);
    }
    for (const oldest of this.#sequenceByTag.keys()) {
      if (this.#sequenceByTag.size <= maxRememberedTags) break;
      this.#sequenceByTag.delete(oldest);
    }
  }

  /** Whether an entry must not be served although Redis still has it. */
  isInvalidated({ tags, readVersion }: StoredEntry): boolean {
    if (readVersion < this.#floor) return true;
    if (this.#sequenceByTag.size === 0 && this.#isIdle) return false;
    return tags.some(
      (tag) =>
        (this.#sequenceByTag.get(tag) ?? 0) > readVersion ||
        this.#inProgress.has(tag) ||
        this.#failedTags.has(tag),
    );
  }

  /** Resolves when the entries are deleted, or after `timeoutMs`; deleting then continues in the background. */
  delete(tags: readonly string[], timeoutMs: number): Promise<InvalidationResult> {
    const unique = [...new Set(tags)];
    if (unique.length === 0) return Promise.resolve({ deleted: 0, isPending: false });
    this.#begunCount += 1;
    return new Promise((resolve) => {
      const progress = { deleted: 0 };
      const cancelTimer = this.#options.timers.after(timeoutMs, () => {
        resolve({ deleted: progress.deleted, isPending: true });
      });
      void this.#deleteAll(unique, progress).then((isDone) => {
        cancelTimer();
        resolve({ deleted: progress.deleted, isPending: !isDone });
      });
    });
  }

  /** Initialises buckets that lost their state, reads the current sequence number, and retries failed invalidations.
   *  Resolves with false if Redis refuses. */
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
    // Another process may have allocated a larger number meanwhile.
    const last = await sendCommand('get', [keys.sequence]);
    if (last instanceof RedisFailure) return false;
    if (last !== null) this.advanceTo(Number(String(last)));
    else if ((await this.#allocateSequence([])) === undefined) return false;
    await this.#retry();
    return states.every(Array.isArray);
  }

  /** Initialises buckets without state, so that they accept writes. Rejects writes of reads that began before, because
   *  their invalidations are not known any more. */
  async #initializeBuckets(buckets: readonly number[]): Promise<boolean> {
    const { keys, sendCommand } = this.#options;
    const sequence = await this.#allocateSequence([]);
    if (sequence === undefined) return false;
    const replies = await Promise.all(
      buckets.flatMap((bucket) =>
        ['latest', 'floor'].map((field) => sendCommand('hsetnx', [keys.state(bucket), field, sequence])),
      ),
    );
    return !replies.some((reply) => reply instanceof RedisFailure);
  }

  /** Reads the invalidations of other processes that were published while this process was not subscribed. */
  async readLog(): Promise<void> {
    const { keys, sendCommand } = this.#options;
    const [reply, last] = await Promise.all([
      sendCommand('zrange', [keys.log, 0, -1, 'WITHSCORES']),
      sendCommand('get', [keys.sequence]),
    ]);
    if (!Array.isArray(reply) || last instanceof RedisFailure) return;
    // RESP3 replies with pairs, RESP2 with a flat array.
    const flat = reply.flat();
    this.#floor = Math.max(this.#floor, Number(String(flat[1] ?? last)) || 0);
    this.advanceTo(Number(String(last)) || 0);
    for (let index = 0; index + 1 < flat.length; index += 2) {
      this.record({ sequence: Number(flat[index + 1]), tags: [String(flat[index])] });
    }
  }

  /** Waits at most `withinMs` until Redis has taken all invalidations, and retries those that have failed: other processes
   *  would serve their entries. */
  async close(withinMs: number): Promise<void> {
    void this.#retry();
    if (!this.#isIdle && withinMs > 0) {
      const idle = new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
      await withTimeout(withinMs, idle, this.#options.timers);
    }
    this.#isClosed = true;
    this.#cancelRetry?.();
    const lost = [...new Set([...this.#failedTags, ...this.#inProgress.keys()])];
    if (lost.length === 0) return;
    const named = lost.slice(0, maxReportedTags).join(', ') + (lost.length > maxReportedTags ? ', …' : '');
    this.#options.problems.report(
      'invalidation lost',
      `Redis did not take the invalidation of ${lost.length} tags before this process stopped. Other processes may serve entries with them until they expire: invalidate these tags again when Redis answers. ${named}`,
    );
  }

  /** Whether no invalidation is running or is to be retried. */
  get #isIdle(): boolean {
    return this.#inProgress.size + this.#failedTags.size === 0;
  }

  async #deleteAll(tags: readonly string[], progress: { deleted: number }): Promise<boolean> {
    for (const tag of tags) this.#inProgress.set(tag, (this.#inProgress.get(tag) ?? 0) + 1);
    let isDone = true;
    for (let from = 0; from < tags.length; from += tagBatchSize) {
      const batch = tags.slice(from, from + tagBatchSize);
      if (await this.#deleteBatch(batch, progress)) continue;
      isDone = false;
      this.#enqueueRetry(batch);
    }
    for (const tag of tags) {
      const remaining = (this.#inProgress.get(tag) ?? 1) - 1;
      if (remaining === 0) this.#inProgress.delete(tag);
      else this.#inProgress.set(tag, remaining);
    }
    if (this.#isIdle) for (const resolve of this.#idleWaiters.splice(0)) resolve();
    return isDone;
  }

  async #deleteBatch(tags: readonly string[], progress: { deleted: number }): Promise<boolean> {
    const { keys } = this.#options;
    const sequence = await this.#allocateSequence(tags);
    if (sequence === undefined) return false;
    const buckets = Array.from({ length: keys.buckets }, (_, bucket) => bucket);
    this.record({ sequence, tags });
    const done = await Promise.all(
      buckets.map((bucket) => this.#deleteInBucket(bucket, sequence, tags, progress)),
    );
    return !done.includes(false);
  }

  async #deleteInBucket(
    bucket: number,
    sequence: number,
    tags: readonly string[],
    progress: { deleted: number },
  ): Promise<boolean> {
    const { keys, runScript } = this.#options;
    const names = [keys.state(bucket), ...tags.map((tag) => keys.tag(bucket, tag))];
    for (;;) {
      const reply = await runScript(deleteTaggedEntries, names, [
        sequence,
        maxRememberedTags,
        deletionBatchSize,
        ...tags,
      ]);
      if (!Array.isArray(reply)) return false;
      progress.deleted += Number(reply[0]);
      if (Number(reply[1]) === 0) return true;
    }
  }

  /** Allocates a sequence number, and publishes it with the tags: other processes then stop serving these entries, whether or
   *  not they have been deleted. */
  async #allocateSequence(tags: readonly string[]): Promise<number | undefined> {
    const { keys, runScript, senderId } = this.#options;
    const message = `${JSON.stringify({ from: senderId, tags }).slice(0, -1)},"sequence":`;
    const args = [maxRememberedTags, keys.channel, message, ...tags];
    const reply = await runScript(allocateSequence, [keys.sequence, keys.log], args);
    if (!Buffer.isBuffer(reply)) return undefined;
    const sequence = Number(String(reply));
    this.advanceTo(sequence);
    return sequence;
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
    // The timer for invalidations that have failed meanwhile found this retry under way.
    if (this.#failedTags.size > 0) this.#scheduleRetry();
  }
}
