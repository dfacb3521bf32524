import type { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import { yieldToEventLoop } from '../../time/yieldToEventLoop.ts';
import type { JobKeys } from './jobKeys.ts';
import type { JobRunEnd, JobRunFailure } from './jobRun.ts';
import { writeRun } from './jobScripts.ts';
import { type LogEntry, sequenceNumberOf, type UpdateLog } from './updateLog.ts';

interface JobRunWriterOptions {
  readonly runId: string;
  readonly processId: string;
  readonly redis: RetryingRedisClient;
  readonly keys: JobKeys;
  /** How long Redis stores the run, counted from its newest token. */
  readonly retentionMs: number;
  readonly isRetried: boolean;
  /** Sequence number of the last update in Redis; `undefined` if Redis does not have the run. */
  readonly writtenUpTo: number | undefined;
  /** What to write; `undefined` if this process no longer has it. */
  log(): UpdateLog | undefined;
  /** Redis has further updates. */
  onWritten(): void;
  /** Redis no longer has the run. The writer writes all of it again. */
  onLost(): void;
}

/** What Redis has of the run, as far as this process knows. `new`: nothing yet. `forced`: nothing yet, and the run is
 *  to be created although an equal job is running. `lost`: Redis had it. */
type RunPersistence = 'new' | 'forced' | 'owned' | 'owned elsewhere' | 'lost';

/** Writes a run to Redis, and repeats what failed: at most one command is in flight, and every command can be repeated. */
export class JobRunWriter {
  readonly #options: JobRunWriterOptions;
  #persistence: RunPersistence;
  #writtenUpTo: number;
  /** As `#writtenUpTo`, but Redis may have lost these updates since: clients may have them. */
  #acknowledgedUpTo: number;
  /** Redis may have updates that this process does not have. */
  #isSharedLog: boolean;
  /** How often `rewriteAll` was called: a reply to an earlier write says nothing about what Redis has now. */
  #rewinds = 0;
  #failure: JobRunFailure | undefined;
  #end: JobRunEnd | undefined;
  #hasNewToken = false;
  #isDirty = false;
  #writing: Promise<void> | undefined;

  constructor(options: JobRunWriterOptions) {
    this.#options = options;
    this.#persistence = options.writtenUpTo === undefined ? 'new' : 'owned';
    this.#writtenUpTo = options.writtenUpTo ?? 0;
    this.#acknowledgedUpTo = this.#writtenUpTo;
    this.#isSharedLog = options.writtenUpTo !== undefined;
  }

  get isPersisted(): boolean {
    return this.#persistence === 'owned' || this.isOwnedElsewhere;
  }

  /** Redis has or had the run: other processes may have tokens of it. */
  get wasPersisted(): boolean {
    return this.isPersisted || this.#persistence === 'lost';
  }

  /** Another process has reclaimed the run. */
  get isOwnedElsewhere(): boolean {
    return this.#persistence === 'owned elsewhere';
  }

  /** Sequence number of the last update that Redis has had, if all updates there are from this process. */
  get soleWriterUpTo(): number | undefined {
    return this.#persistence === 'owned' && !this.#isSharedLog ? this.#acknowledgedUpTo : undefined;
  }

  /** Another process has written an update. */
  recordForeignUpdate(): void {
    this.#isSharedLog = true;
  }

  /** Resolves with the id of the other run, if another process runs an equal job. */
  async create(): Promise<string | undefined> {
    let otherRunId: string | undefined;
    this.#writing = this.#writeUntilClean(async () => {
      otherRunId = await this.#writeOnce();
    });
    await this.#writing;
    return otherRunId;
  }

  /** From now on the run is created even if another process runs an equal job. */
  forceCreate(): void {
    if (this.#persistence === 'new') this.#persistence = 'forced';
  }

  recordFailure(failure: JobRunFailure): void {
    this.#failure = failure;
  }

  recordEnd(end: JobRunEnd): void {
    this.#end = end;
    if (end.kind === 'failed') this.#failure = end;
  }

  get hasEnd(): boolean {
    return this.#end !== undefined;
  }

  /** The next write extends the retention of the run: it has another token. */
  extendExpiry(): void {
    this.#hasNewToken = true;
  }

  /** Redis may have lost the latest updates. */
  rewriteAll(): Promise<void> {
    this.#writtenUpTo = 0;
    this.#rewinds += 1;
    return this.write();
  }

  /** Resolves when everything is written, or when it can never be written. The results of one turn of the event loop, and the
   *  end of the run after the last one, are written together. */
  write(): Promise<void> {
    this.#isDirty = true;
    this.#writing ??= yieldToEventLoop().then(() => this.#writeUntilClean(() => this.#writeOnce()));
    return this.#writing;
  }

  // There must be no `await` between the last check of `#isDirty` and the reset of `#writing`.
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
    const { runId, keys, redis, log, onWritten, onLost } = this.#options;
    const known = log();
    if (known === undefined && !this.isPersisted) return undefined;
    const entries = known?.entries.filter((entry) => sequenceNumberOf(entry) > this.#writtenUpTo) ?? [];
    const rewinds = this.#rewinds;
    const reply = await redis.runScript(writeRun, keys.ofRun(runId), this.#arguments(known, entries));
    if (reply === undefined) return undefined;
    switch (String(reply)) {
      case 'ok':
      case 'not owner': {
        this.#persistence = String(reply) === 'ok' ? 'owned' : 'owned elsewhere';
        const last = entries.at(-1);
        if (last !== undefined) {
          this.#acknowledgedUpTo = Math.max(this.#acknowledgedUpTo, sequenceNumberOf(last));
          if (rewinds === this.#rewinds) this.#writtenUpTo = sequenceNumberOf(last);
          onWritten();
        }
        return undefined;
      }
      case 'lost':
        if (known === undefined) return undefined;
        this.#persistence = 'lost';
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
    const pendingKeys = new Set(log?.pendingKeys);
    // A Redis without the run does not need the old update of a field that is retried.
    const needed = this.isPersisted ? entries : entries.filter(({ key }) => !pendingKeys.has(key));
    const ttl = this.isPersisted && !this.#hasNewToken && !isRetried ? 1 : retentionMs;
    this.#hasNewToken = false;
    return [
      runId,
      processId,
      keys.changesChannel,
      ttl,
      this.#mode,
      needed.length + pendingKeys.size,
      this.#failure?.attempts ?? 0,
      this.#failure?.error ?? '',
      stateOf(this.#end),
      isRetried ? 1 : 0,
      ...needed.flatMap((entry) => [
        entry.key,
        sequenceNumberOf(entry),
        entry.isFailure ? 1 : 0,
        JSON.stringify({ path: entry.path, data: entry.data, errors: entry.errors }),
      ]),
    ];
  }

  get #mode(): 'create' | 'force create' | 'update' {
    if (this.isPersisted) return 'update';
    return this.#persistence === 'new' ? 'create' : 'force create';
  }
}

function stateOf(end: JobRunEnd | undefined): 'open' | 'done' | 'failed' | 'released' {
  if (end === undefined) return 'open';
  return end.kind === 'dropped' ? 'done' : end.kind;
}
