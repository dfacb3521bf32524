import type { DocumentNode } from 'graphql';
import type { Timers } from '../../time/timers.ts';
import { yieldToEventLoop } from '../../time/yieldToEventLoop.ts';
import { canonicalizeOperation } from './canonicalizeOperation.ts';
import { RecordingDirectory, type RecordingLimits, type RecordOutcome } from './recordingDirectory.ts';

export interface OperationRecorderOptions {
  readonly directory: string;
  readonly limits: RecordingLimits;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  now(): number;
  /** Files cannot be written; told once until one is written again. */
  onError(error: unknown): void;
  /** There is no room for more; told once for each limit. */
  onLimitReached(limit: keyof RecordingLimits): void;
}

/** An operation that a client has sent, as the pipeline knows it. */
interface SentOperation {
  /** Valid. What has been recorded once is known again by this object. */
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly clientName: string | undefined;
  readonly clientVersion: string | undefined;
}

/** Where operations of clients without a name go. */
const unnamedClient = 'unnamed';

/** Writes the operations that clients send to files, each once. A request pays for a look into two maps: everything
 *  else is done in the background, one operation a turn. */
export class OperationRecorder {
  readonly #options: OperationRecorderOptions;
  readonly #directory: RecordingDirectory;
  readonly #seen = new WeakMap<DocumentNode, Set<string>>();
  #queue: SentOperation[] = [];
  #cancelTimer: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isFailing = false;
  #isClosed = false;
  readonly #reportedLimits = new Set<RecordOutcome>();

  constructor(options: OperationRecorderOptions) {
    this.#options = options;
    const today = (): string => new Date(options.now()).toISOString().slice(0, 10);
    this.#directory = new RecordingDirectory(options.directory, options.limits, today);
  }

  record(sent: SentOperation): void {
    if (this.#isClosed) return;
    let seen = this.#seen.get(sent.document);
    if (seen === undefined) {
      seen = new Set();
      this.#seen.set(sent.document, seen);
    }
    const key = keyOf(sent);
    if (seen.has(key) || seen.size >= maxSeenPerDocument || this.#queue.length >= maxQueued) return;
    seen.add(key);
    this.#queue.push(sent);
    this.#cancelTimer ??= this.#options.timers.after(this.#isFailing ? retryDelayMs : writeDelayMs, () =>
      this.#write(),
    );
  }

  /** Writes what still waits. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#write();
    await this.#writing;
  }

  #write(): void {
    this.#cancelTimer = undefined;
    const batch = this.#queue;
    this.#queue = [];
    this.#writing = this.#writing.then(async () => {
      for (const sent of batch) {
        await yieldToEventLoop();
        await this.#writeOne(sent);
      }
    });
  }

  async #writeOne(sent: SentOperation): Promise<void> {
    try {
      const recorded = await this.#directory.add({
        operation: canonicalizeOperation(sent.document, sent.operationName),
        client: sent.clientName ?? unnamedClient,
        version: sent.clientVersion,
      });
      if (recorded === 'written') this.#isFailing = false;
      else if (recorded !== 'known') this.#reportLimit(recorded);
    } catch (error) {
      // The next request with it tries again.
      this.#seen.get(sent.document)?.delete(keyOf(sent));
      const isNews = !this.#isFailing;
      this.#isFailing = true;
      if (isNews) this.#options.onError(error);
    }
  }

  #reportLimit(limit: keyof RecordingLimits): void {
    if (this.#reportedLimits.has(limit)) return;
    this.#reportedLimits.add(limit);
    this.#options.onLimitReached(limit);
  }
}

function keyOf({ operationName = '', clientName = '', clientVersion = '' }: SentOperation): string {
  // None of them can hold a line end: one is a name, the others are headers.
  return `${operationName}\n${clientName}\n${clientVersion}`;
}

const writeDelayMs = 1_000;
const retryDelayMs = 30_000;

/** Clients make up names and versions as they like: what is remembered of one document is bounded, and so is what
 *  waits, and with it the time that a second of recording can take. What had no room is seen when it comes again. */
const maxSeenPerDocument = 64;
const maxQueued = 100;
