import { context } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode, suppressTracing } from '@opentelemetry/core';
import type { CancelTimer, Timers } from '../time/timers.ts';
import type { RecordedSpan } from './recordedSpan.ts';

/** Sends batches of spans to a collector. Exporters of OpenTelemetry have this form. */
export interface SpanBatchExporter {
  export(spans: readonly RecordedSpan[], onEnd: (result: ExportResult) => void): void;
  shutdown(): Promise<void>;
}

interface SpanExportQueueOptions {
  readonly exporter: SpanBatchExporter;
  readonly timers: Timers;
  /** Maximum number of spans that wait; further ones are dropped. */
  readonly maxQueued?: number;
  readonly batchSize?: number;
  /** How long the first span of a batch that is not full waits, in milliseconds. */
  readonly delayMs?: number;
  /** The first spans since the last success were lost. `reason` is an error, or that the queue is full. */
  onOutage(reason: Error): void;
  /** Spans are exported again after an outage. `dropped`: how many spans were lost in it. */
  onRecovery(dropped: number): void;
}

/** Exports spans in batches, one at a time. Requests never wait for it, and its memory is bounded: what the collector does
 *  not take in time is dropped and counted. The SDK's own `BatchSpanProcessor` does not say how many it drops. */
export class SpanExportQueue {
  /** Spans that the collector has taken. */
  exported = 0;
  /** Spans that did not fit into the queue. */
  droppedFull = 0;
  /** Spans of batches that the collector did not take. */
  droppedFailed = 0;
  readonly #options: Required<SpanExportQueueOptions>;
  #queued: RecordedSpan[] = [];
  #isExporting = false;
  #isClosed = false;
  #cancelTimer: CancelTimer | undefined;
  /** What was dropped when the outage began; `undefined` while there is none. */
  #outageSince: number | undefined;
  #onIdle: (() => void)[] = [];

  constructor(options: SpanExportQueueOptions) {
    this.#options = { maxQueued: 4096, batchSize: 2048, delayMs: 1000, ...options };
  }

  /** `span`: one that has ended. */
  add(span: RecordedSpan): void {
    if (this.#isClosed || this.#queued.length >= this.#options.maxQueued) {
      this.#reportOutage(queueFullError);
      this.droppedFull += 1;
      return;
    }
    this.#queued.push(span);
    if (this.#isExporting) return;
    if (this.#queued.length >= this.#options.batchSize) this.#exportBatch();
    else this.#cancelTimer ??= this.#options.timers.after(this.#options.delayMs, this.#exportBatch);
  }

  /** Exports what is waiting, for at most `withinMs`. */
  async close(withinMs: number): Promise<void> {
    const timeout = Promise.withResolvers<void>();
    const cancelTimer = this.#options.timers.after(withinMs, timeout.resolve);
    await Promise.race([this.#exportAll(), timeout.promise]);
    cancelTimer();
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.droppedFull += this.#queued.length;
    this.#queued = [];
    await Promise.race([this.#options.exporter.shutdown(), timeout.promise]);
  }

  /** Resolves when no span is waiting. */
  async #exportAll(): Promise<void> {
    if (!this.#isExporting && this.#queued.length === 0) return;
    const idle = new Promise<void>((resolve) => this.#onIdle.push(resolve));
    if (!this.#isExporting) this.#exportBatch();
    await idle;
  }

  readonly #exportBatch = (): void => {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#queued.length === 0) {
      for (const resolve of this.#onIdle.splice(0)) resolve();
      return;
    }
    this.#isExporting = true;
    const batch = this.#queued.splice(0, this.#options.batchSize);
    // The application may trace HTTP requests: not those that export spans.
    context.with(suppressTracing(context.active()), () => {
      this.#options.exporter.export(batch, ({ code, error }) => {
        this.#isExporting = false;
        if (code === ExportResultCode.SUCCESS) {
          this.exported += batch.length;
          this.#reportRecovery();
        } else {
          this.#reportOutage(error ?? new Error('The exporter gives no reason.'));
          this.droppedFailed += batch.length;
        }
        this.#exportNext();
      });
    });
  };

  #exportNext(): void {
    const { batchSize, delayMs, timers } = this.#options;
    if (this.#onIdle.length > 0 || this.#queued.length >= batchSize) queueMicrotask(this.#exportBatch);
    else if (this.#queued.length > 0) this.#cancelTimer ??= timers.after(delayMs, this.#exportBatch);
  }

  get #dropped(): number {
    return this.droppedFull + this.droppedFailed;
  }

  #reportOutage(reason: Error): void {
    if (this.#outageSince !== undefined || this.#isClosed) return;
    this.#outageSince = this.#dropped;
    this.#options.onOutage(reason);
  }

  /** The outage of a collector that is too slow ends when the queue is no longer full. */
  #reportRecovery(): void {
    if (this.#outageSince === undefined || this.#queued.length > this.#options.maxQueued / 2) return;
    this.#options.onRecovery(this.#dropped - this.#outageSince);
    this.#outageSince = undefined;
  }
}

const queueFullError = new Error('The collector is slower than spans are recorded: the queue is full.');
