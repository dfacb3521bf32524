import type { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import type { JobKeys } from './jobKeys.ts';
import { writeRun } from './jobScripts.ts';
import type { JobRunEnd, JobRunFailure } from './jobStore.ts';
import type { LogEntry, UpdateLog } from './updateLog.ts';

interface JobRunWriterOptions {
  readonly runId: string;
  readonly processId: string;
  readonly redis: RetryingRedisClient;
  readonly keys: JobKeys;
  /** Milliseconds that Redis keeps the work from its newest token on. */
  readonly retentionMs: number;
  readonly isRetried: boolean;
  /** Number of the last update that Redis has; `undefined` where Redis does not know the work. */
  readonly writtenUpTo: number | undefined;
  /** What is to be written; `undefined` where it is forgotten. */
  log(): UpdateLog | undefined;
  /** Redis has forgotten everything, and is told anew. */
  onLost(): void;
}

/** Brings to Redis what this process knows of a work, in whatever state Redis is: there is never more under way than
 *  one command, and what it says is true however often it is said. */
export class JobRunWriter {
  readonly #options: JobRunWriterOptions;
  #mode: 'begin' | 'own' | 'go on';
  #writtenUpTo: number;
  #rewinds = 0;
  #failure: JobRunFailure | undefined;
  #end: JobRunEnd | undefined;
  #wasPersisted: boolean;
  #hasNewToken = false;
  #isOwnedElsewhere = false;
  #isDirty = false;
  #writing: Promise<void> | undefined;

  constructor(options: JobRunWriterOptions) {
    this.#options = options;
    this.#mode = options.writtenUpTo === undefined ? 'begin' : 'go on';
    this.#wasPersisted = this.isPersisted;
    this.#writtenUpTo = options.writtenUpTo ?? 0;
  }

  /** Redis knows of the work, as far as is known here. */
  get isPersisted(): boolean {
    return this.#mode === 'go on';
  }

  /** The same, or it has lost it and is being told anew. */
  get wasPersisted(): boolean {
    return this.#wasPersisted;
  }

  /** Another process has taken it over. */
  get isOwnedElsewhere(): boolean {
    return this.#isOwnedElsewhere;
  }

  /** Resolves with the id of the work for an equal job, where another process has one under way. */
  async create(): Promise<string | undefined> {
    let other: string | undefined;
    this.#writing = this.#writeUntilClean(async () => {
      other = await this.#writeOnce();
    });
    await this.#writing;
    return other;
  }

  /** Whether or not an equal job is under way. */
  forceCreate(): void {
    this.#mode = 'own';
  }

  recordFailure(failure: JobRunFailure): void {
    this.#failure = failure;
  }

  recordEnd(end: JobRunEnd): void {
    this.#end = end;
    if (end.kind === 'failed') this.#failure = end;
  }

  /** There is one more token. */
  extendExpiry(): void {
    this.#hasNewToken = true;
  }

  /** Redis may have lost what came last. */
  rewriteAll(): Promise<void> {
    this.#writtenUpTo = 0;
    this.#rewinds += 1;
    return this.write();
  }

  /** Resolves when all is written, or never will be. */
  write(): Promise<void> {
    this.#isDirty = true;
    this.#writing ??= this.#writeUntilClean(() => this.#writeOnce());
    return this.#writing;
  }

  // Between the last look at what is to be written and the end of the writing there is no gap for more of it.
  async #writeUntilClean(write: () => Promise<unknown>): Promise<void> {
    this.#isDirty = false;
    await write();
    while (this.#isDirty) {
      this.#isDirty = false;
      await this.#writeOnce();
    }
    this.#writing = undefined;
  }

  async #writeOnce(): Promise<string | undefined> {
    const { runId, keys, redis, log, onLost } = this.#options;
    const known = log();
    if (known === undefined && !this.isPersisted) return undefined;
    const entries = known?.entries.filter((entry) => sequenceNumberOf(entry) > this.#writtenUpTo) ?? [];
    const rewinds = this.#rewinds;
    const reply = await redis.runScript(writeRun, keys.ofRun(runId), this.#arguments(known, entries));
    switch (reply === undefined ? undefined : String(reply)) {
      case undefined:
        return undefined;
      case 'ok':
      case 'theirs': {
        this.#isOwnedElsewhere = String(reply) === 'theirs';
        this.#mode = 'go on';
        this.#wasPersisted = true;
        const last = entries.at(-1);
        if (last !== undefined && rewinds === this.#rewinds) this.#writtenUpTo = sequenceNumberOf(last);
        return undefined;
      }
      case 'lost':
        if (known === undefined) return undefined;
        this.#mode = 'own';
        this.#writtenUpTo = 0;
        this.#isDirty = true;
        onLost();
        return undefined;
      default:
        return String(reply);
    }
  }

  #arguments(log: UpdateLog | undefined, entries: readonly LogEntry[]): (string | number)[] {
    const { runId, processId, keys, retentionMs, isRetried } = this.#options;
    const missing = new Set(log?.pendingKeys);
    // Of a place that is tried once more, the update that it has is not needed by a Redis that does not have it.
    const open = this.#mode === 'go on' ? entries : entries.filter(({ key }) => !missing.has(key));
    const ttl = this.#mode === 'go on' && !this.#hasNewToken && !isRetried ? 1 : retentionMs;
    this.#hasNewToken = false;
    return [
      runId,
      processId,
      keys.changesChannel,
      ttl,
      this.#mode,
      open.length + missing.size,
      this.#failure?.attempts ?? 0,
      this.#failure?.error ?? '',
      stateOf(this.#end),
      isRetried ? 1 : 0,
      ...open.flatMap((entry) => [
        entry.key,
        sequenceNumberOf(entry),
        entry.isFailure ? 1 : 0,
        JSON.stringify({ path: entry.path, data: entry.data, errors: entry.errors }),
      ]),
    ];
  }
}

export function sequenceNumberOf({ cursor }: { readonly cursor: string }): number {
  return Number.parseInt(cursor, 10);
}

function stateOf(end: JobRunEnd | undefined): 'open' | 'done' | 'failed' | 'left' {
  if (end === undefined) return 'open';
  return end.kind === 'dropped' ? 'done' : end.kind;
}
