import type { DocumentNode } from 'graphql';
import { canonicalizeOperation } from '../../operation/canonicalizeOperation.ts';
import type { Timers } from '../../time/timers.ts';
import { yieldToEventLoop } from '../../time/yieldToEventLoop.ts';
import { RecordingDirectory, type RecordingLimits, type RecordOutcome } from './recordingDirectory.ts';

export interface OperationRecorderOptions {
  readonly directory: string;
  readonly limits: RecordingLimits;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  now(): number;
  /** Files cannot be written. Called once until a file is written again. */
  onError(error: unknown): void;
  /** A limit is reached. Called once per limit. */
  onLimitReached(limit: keyof RecordingLimits): void;
}

/** An operation as a client sent it. */
interface SentOperation {
  /** Valid. Recorded documents are recognised by identity. */
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly clientName: string | undefined;
  readonly clientVersion: string | undefined;
}

/** Directory of operations from clients without a name. */
const unnamedClient = 'unnamed';

/** Records each operation that clients send in a file. A request pays for two map look-ups. Everything else happens
 *  in the background, one operation per turn of the event loop. */
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

  record(operation: SentOperation): void {
    if (this.#isClosed) return;
    let seen = this.#seen.get(operation.document);
    if (seen === undefined) {
      seen = new Set();
      this.#seen.set(operation.document, seen);
    }
    const key = keyOf(operation);
    if (seen.has(key) || seen.size >= maxSeenPerDocument || this.#queue.length >= maxQueued) return;
    seen.add(key);
    this.#queue.push(operation);
    this.#cancelTimer ??= this.#options.timers.after(this.#isFailing ? retryDelayMs : writeDelayMs, () =>
      this.#write(),
    );
  }

  /** Writes the queued operations. */
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
      for (const operation of batch) {
        await yieldToEventLoop();
        await this.#writeOne(operation);
      }
    });
  }

  async #writeOne(operation: SentOperation): Promise<void> {
    try {
      const recorded = await this.#directory.add({
        operation: canonicalizeOperation(operation.document, operation.operationName),
        client: operation.clientName ?? unnamedClient,
        version: operation.clientVersion,
      });
      if (recorded === 'written') this.#isFailing = false;
      else if (recorded !== 'known') this.#reportLimit(recorded);
    } catch (error) {
      // The next request with this operation tries again.
      this.#seen.get(operation.document)?.delete(keyOf(operation));
      const isFirst = !this.#isFailing;
      this.#isFailing = true;
      if (isFirst) this.#options.onError(error);
    }
  }

  #reportLimit(limit: keyof RecordingLimits): void {
    if (this.#reportedLimits.has(limit)) return;
    this.#reportedLimits.add(limit);
    this.#options.onLimitReached(limit);
  }
}

function keyOf({ operationName = '', clientName = '', clientVersion = '' }: SentOperation): string {
  // None of them contains a line end: one is a GraphQL name, the others are headers.
  return `${operationName}\n${clientName}\n${clientVersion}`;
}

const writeDelayMs = 1_000;
const retryDelayMs = 30_000;

/** Clients choose names and versions freely. Both the memory per document and the queue are therefore bounded, and so
 *  is the work per second. What exceeds the bounds is recorded when the client sends it again. */
const maxSeenPerDocument = 64;
const maxQueued = 100;
