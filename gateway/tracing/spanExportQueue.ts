import { context } from '@opentelemetry/api';
import { ExportResultCode, suppressTracing } from '@opentelemetry/core';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { describeExportError, type OtlpExportResult } from './otlpExporter.ts';
import { type PartialSuccess, rejectionError } from './partialSuccess.ts';
import type { RecordedSpan } from './recordedSpan.ts';
import type { SpanBatch } from './spanBatch.ts';

/** Sends batches of spans to a collector. */
export interface SpanBatchExporter {
  createBatch(): SpanBatch;
  /** The batch does not change until `onEnd` is called. */
  export(batch: SpanBatch, onEnd: (result: OtlpExportResult) => void): void;
  shutdown(): Promise<void>;
}

interface SpanExportQueueOptions {
  readonly exporter: SpanBatchExporter;
  readonly timers: Timers;
  /** Maximum number of spans that are exported together. */
  readonly batchSize?: number;
  /** How long the first span of a batch that is not full waits, in milliseconds. */
  readonly delayMs?: number;
  /** The first spans since the last success were lost. `reason`: the messages of an error, or that the queue is full. */
  onOutage(reason: string): void;
  /** Spans are exported again after an outage. `dropped`: how many spans were lost in it. */
  onRecovery(dropped: number): void;
}

/** Maximum number of full batches that wait; further spans are dropped. */
const maxFullBatches = 2;

/** Exports spans in batches, one at a time. Requests never wait for it, and its memory is bounded: what the collector does
 *  not take in time is dropped and counted. The SDK's own `BatchSpanProcessor` does not say how many it drops. */
export class SpanExportQueue {
  /** Spans that the collector has taken. */
  exported = 0;
  /** Spans that did not fit into the queue. */
  droppedFull = 0;
  /** Spans of batches that the collector did not take. */
  droppedFailed = 0;
  /** Spans that the collector has rejected of batches that it has taken otherwise. */
  droppedRejected = 0;
  readonly #options: Required<SpanExportQueueOptions>;
  /** Spans that are not encoded yet. */
  #recent: RecordedSpan[] = [];
  #filling: SpanBatch;
  readonly #full: SpanBatch[] = [];
  /** Batches that were exported. */
  readonly #unused: SpanBatch[] = [];
  #isExporting = false;
  #isClosed = false;
  #cancelTimer: CancelTimer | undefined;
  /** The number of spans that had been dropped when the outage began; `undefined` while there is none. */
  #outageSince: number | undefined;
  #onIdle: (() => void)[] = [];

  constructor(options: SpanExportQueueOptions) {
    this.#options = { batchSize: 2048, delayMs: 1000, ...options };
    this.#filling = options.exporter.createBatch();
  }

  /** `span`: one that has ended. */
  add(span: RecordedSpan): void {
    const { batchSize, delayMs, timers } = this.#options;
    if (this.#isClosed || this.#full.length >= maxFullBatches) {
      this.#reportOutage(queueFullError);
      this.droppedFull += 1;
      return;
    }
    this.#recent.push(span);
    const { length } = this.#recent;
    if (length >= maxRecent || this.#filling.count + length >= batchSize) this.#encodeRecent();
    if (this.#isExporting) return;
    if (this.#full.length > 0) this.#exportBatch();
    else this.#cancelTimer ??= timers.after(delayMs, this.#exportBatch);
  }

  /** Encodes spans that ended one after the other. Those of a whole batch would be copied by collections of garbage and be
   *  read from memory; each one alone would not find the encoder's code in the processor's cache. */
  #encodeRecent(): void {
    const batch = this.#filling;
    batch.add(this.#recent);
    this.#recent = [];
    if (batch.count >= this.#options.batchSize || batch.bytes >= maxBatchBytes) this.#endFilling();
  }

  #endFilling(): void {
    this.#full.push(this.#filling);
    this.#filling = this.#unused.pop() ?? this.#options.exporter.createBatch();
  }

  /** Exports what is waiting, for at most `withinMs`. */
  async close(withinMs: number): Promise<void> {
    const timeout = Promise.withResolvers<void>();
    const cancelTimer = this.#options.timers.after(withinMs, timeout.resolve);
    await Promise.race([this.#exportAll(), timeout.promise]);
    cancelTimer();
    this.#isClosed = true;
    this.#cancelTimer?.();
    for (let batch = this.#takeBatch(); batch !== undefined; batch = this.#takeBatch())
      this.droppedFull += batch.count;
    await Promise.race([this.#options.exporter.shutdown(), timeout.promise]);
  }

  /** Resolves when no span is waiting. */
  async #exportAll(): Promise<void> {
    if (!this.#isExporting && this.#isEmpty) return;
    const idle = new Promise<void>((resolve) => this.#onIdle.push(resolve));
    if (!this.#isExporting) this.#exportBatch();
    await idle;
  }

  get #isEmpty(): boolean {
    return this.#full.length === 0 && this.#filling.count === 0 && this.#recent.length === 0;
  }

  /** The batch that is to be exported next; `undefined` if no span is waiting. */
  #takeBatch(): SpanBatch | undefined {
    if (this.#full.length === 0 && this.#recent.length > 0) this.#encodeRecent();
    if (this.#full.length === 0 && this.#filling.count > 0) this.#endFilling();
    return this.#full.shift();
  }

  readonly #exportBatch = (): void => {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const batch = this.#takeBatch();
    if (batch === undefined) {
      for (const resolve of this.#onIdle.splice(0)) resolve();
      return;
    }
    this.#isExporting = true;
    // The application may trace HTTP requests: not those that export spans.
    context.with(suppressTracing(context.active()), () => {
      this.#options.exporter.export(batch, ({ code, error, partialSuccess }) => {
        const { count } = batch;
        batch.clear();
        this.#unused.push(batch);
        this.#isExporting = false;
        if (code === ExportResultCode.SUCCESS) {
          this.#countTaken(count, partialSuccess);
        } else {
          this.#reportOutage(error ?? new Error('The exporter gives no reason.'));
          this.droppedFailed += count;
        }
        this.#exportNext();
      });
    });
  };

  #countTaken(count: number, partialSuccess: PartialSuccess | undefined): void {
    if (partialSuccess === undefined) {
      this.exported += count;
      this.#reportRecovery();
      return;
    }
    this.#reportOutage(rejectionError(partialSuccess, `of ${count} spans`));
    const rejected = Math.min(partialSuccess.rejected, count);
    this.droppedRejected += rejected;
    this.exported += count - rejected;
  }

  #exportNext(): void {
    const { delayMs, timers } = this.#options;
    if (this.#onIdle.length > 0 || this.#full.length > 0) queueMicrotask(this.#exportBatch);
    else if (!this.#isEmpty) this.#cancelTimer ??= timers.after(delayMs, this.#exportBatch);
  }

  get #dropped(): number {
    return this.droppedFull + this.droppedFailed + this.droppedRejected;
  }

  #reportOutage(reason: Error): void {
    if (this.#outageSince !== undefined || this.#isClosed) return;
    this.#outageSince = this.#dropped;
    this.#options.onOutage(describeExportError(reason));
  }

  /** The outage of a collector that is too slow ends when the queue is no longer full. */
  #reportRecovery(): void {
    if (this.#outageSince === undefined || this.#full.length >= maxFullBatches) return;
    this.#options.onRecovery(this.#dropped - this.#outageSince);
    this.#outageSince = undefined;
  }
}

const queueFullError = new Error('The collector is slower than spans are recorded: the queue is full.');

/** Maximum number of spans that are encoded together. */
const maxRecent = 32;

/** A batch with as many bytes is full, too: the memory of the queue is bounded even if spans have the texts of operations, and
 *  collectors limit the size of requests. */
const maxBatchBytes = 1024 * 1024;
