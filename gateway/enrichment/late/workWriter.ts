import type { PatientRedis } from '../../redis/patientRedis.ts';
import type { LateKeys } from './lateKeys.ts';
import { writeWork } from './lateScripts.ts';
import type { WorkEnd, WorkFailure } from './lateStore.ts';
import type { LogEntry, UpdateLog } from './updateLog.ts';

export interface WorkWriterOptions {
  readonly workId: string;
  readonly processId: string;
  readonly redis: PatientRedis;
  readonly keys: LateKeys;
  /** Milliseconds that Redis keeps the work from its newest token on. */
  readonly keepFor: number;
  readonly isRetried: boolean;
  /** Number of the last update that Redis has; `undefined` where Redis does not know the work. */
  readonly written: number | undefined;
  /** What is to be written; `undefined` where it is forgotten. */
  log(): UpdateLog | undefined;
  /** Redis has forgotten everything, and is told anew. */
  onLost(): void;
}

/** Brings to Redis what this process knows of a work, in whatever state Redis is: there is never more under way than
 *  one command, and what it says is true however often it is said. */
export class WorkWriter {
  readonly #options: WorkWriterOptions;
  #mode: 'begin' | 'own' | 'go on';
  #written: number;
  #rewinds = 0;
  #failure: WorkFailure | undefined;
  #end: WorkEnd | undefined;
  #hasBeenKnown: boolean;
  #isExtended = false;
  #isTheirs = false;
  #isDirty = false;
  #writing: Promise<void> | undefined;

  constructor(options: WorkWriterOptions) {
    this.#options = options;
    this.#mode = options.written === undefined ? 'begin' : 'go on';
    this.#hasBeenKnown = this.isKnown;
    this.#written = options.written ?? 0;
  }

  /** Redis knows of the work, as far as is known here. */
  get isKnown(): boolean {
    return this.#mode === 'go on';
  }

  /** The same, or it has lost it and is being told anew. */
  get hasBeenKnown(): boolean {
    return this.#hasBeenKnown;
  }

  /** Another process has taken it over. */
  get isTheirs(): boolean {
    return this.#isTheirs;
  }

  /** Resolves with the id of the work for an equal job, where another process has one under way. */
  async begin(): Promise<string | undefined> {
    let other: string | undefined;
    this.#writing = this.#writeOn(async () => {
      other = await this.#writeOnce();
    });
    await this.#writing;
    return other;
  }

  /** Whether or not an equal job is under way. */
  beginAnyway(): void {
    this.#mode = 'own';
  }

  note(failure: WorkFailure): void {
    this.#failure = failure;
  }

  end(end: WorkEnd): void {
    this.#end = end;
    if (end.kind === 'failed') this.#failure = end;
  }

  /** There is one more token. */
  extend(): void {
    this.#isExtended = true;
  }

  /** Redis may have lost what came last. */
  writeAll(): Promise<void> {
    this.#written = 0;
    this.#rewinds += 1;
    return this.write();
  }

  /** Resolves when all is written, or never will be. */
  write(): Promise<void> {
    this.#isDirty = true;
    this.#writing ??= this.#writeOn(() => this.#writeOnce());
    return this.#writing;
  }

  // Between the last look at what is to be written and the end of the writing there is no gap for more of it.
  async #writeOn(write: () => Promise<unknown>): Promise<void> {
    this.#isDirty = false;
    await write();
    while (this.#isDirty) {
      this.#isDirty = false;
      await this.#writeOnce();
    }
    this.#writing = undefined;
  }

  async #writeOnce(): Promise<string | undefined> {
    const { workId, keys, redis, log, onLost } = this.#options;
    const known = log();
    if (known === undefined && !this.isKnown) return undefined;
    const entries = known?.entries.filter((entry) => numberOf(entry) > this.#written) ?? [];
    const rewinds = this.#rewinds;
    const reply = await redis.run(writeWork, keys.ofWork(workId), this.#arguments(known, entries));
    switch (reply === undefined ? undefined : String(reply)) {
      case undefined:
        return undefined;
      case 'ok':
      case 'theirs': {
        this.#isTheirs = String(reply) === 'theirs';
        this.#mode = 'go on';
        this.#hasBeenKnown = true;
        const last = entries.at(-1);
        if (last !== undefined && rewinds === this.#rewinds) this.#written = numberOf(last);
        return undefined;
      }
      case 'lost':
        if (known === undefined) return undefined;
        this.#mode = 'own';
        this.#written = 0;
        this.#isDirty = true;
        onLost();
        return undefined;
      default:
        return String(reply);
    }
  }

  #arguments(log: UpdateLog | undefined, entries: readonly LogEntry[]): (string | number)[] {
    const { workId, processId, keys, keepFor, isRetried } = this.#options;
    const missing = new Set(log?.missing);
    // Of a place that is tried once more, the update that it has is not needed by a Redis that does not have it.
    const open = this.#mode === 'go on' ? entries : entries.filter(({ key }) => !missing.has(key));
    const ttl = this.#mode === 'go on' && !this.#isExtended && !isRetried ? 1 : keepFor;
    this.#isExtended = false;
    return [
      workId,
      processId,
      keys.changes,
      ttl,
      this.#mode,
      open.length + missing.size,
      this.#failure?.attempts ?? 0,
      this.#failure?.error ?? '',
      stateOf(this.#end),
      isRetried ? 1 : 0,
      ...open.flatMap((entry) => [
        entry.key,
        numberOf(entry),
        entry.isFailure ? 1 : 0,
        JSON.stringify({ path: entry.path, data: entry.data, errors: entry.errors }),
      ]),
    ];
  }
}

export function numberOf({ cursor }: { readonly cursor: string }): number {
  return Number.parseInt(cursor, 10);
}

function stateOf(end: WorkEnd | undefined): 'open' | 'done' | 'failed' | 'left' {
  if (end === undefined) return 'open';
  return end.kind === 'dropped' ? 'done' : end.kind;
}
