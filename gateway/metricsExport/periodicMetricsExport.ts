import { context } from '@opentelemetry/api';
import { ExportResultCode, suppressTracing } from '@opentelemetry/core';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { CancelTimer, Timers } from '../time/timers.ts';
import { withTimeout } from '../time/withTimeout.ts';
import { describeExportError, type OtlpExporter, type OtlpExportResult } from '../tracing/otlpExporter.ts';
import { rejectionError } from '../tracing/partialSuccess.ts';

interface PeriodicMetricsExportOptions {
  readonly exporter: Pick<OtlpExporter<ResourceMetrics>, 'export' | 'shutdown'>;
  readonly timers: Timers;
  collect(): Promise<ResourceMetrics>;
  /** The first export since the last success has failed. `reason`: the messages of the error. */
  onOutage(reason: string): void;
  /** The collector takes metrics again. `failed`: how many exports it did not take. */
  onRecovery(failed: number): void;
}

/** The default of OpenTelemetry's SDKs. */
export const exportIntervalMs = 60_000;

/** Exports metrics every minute. The next export waits for the end of the one before, so that a slow collector holds up one
 *  snapshot at most. An export that fails loses nothing: counts are cumulative, and the next one has them. */
export class PeriodicMetricsExport {
  readonly #options: PeriodicMetricsExportOptions;
  #cancelTimer: CancelTimer | undefined;
  #running: Promise<void> | undefined;
  #failed = 0;
  #isClosed = false;

  constructor(options: PeriodicMetricsExportOptions) {
    this.#options = options;
    this.#scheduleNext();
  }

  /** Exports the final counts, for at most `withinMs`. */
  async close(withinMs: number): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    const finish = async (): Promise<void> => {
      await this.#running;
      await this.#export();
      await this.#options.exporter.shutdown();
    };
    await withTimeout(withinMs, finish(), this.#options.timers);
  }

  #scheduleNext(): void {
    this.#cancelTimer = this.#options.timers.after(exportIntervalMs, () => {
      this.#running = this.#export().finally(() => {
        if (!this.#isClosed) this.#scheduleNext();
      });
    });
  }

  async #export(): Promise<void> {
    const { onOutage, onRecovery } = this.#options;
    const problem = await this.#send().catch((error: unknown) => error as Error);
    if (problem === undefined) {
      if (this.#failed > 0) onRecovery(this.#failed);
      this.#failed = 0;
      return;
    }
    this.#failed += 1;
    if (this.#failed === 1) onOutage(describeExportError(problem));
  }

  /** Resolves to what is wrong; `undefined` if the collector has taken all of the metrics. */
  async #send(): Promise<Error | undefined> {
    const { exporter, collect } = this.#options;
    const metrics = await collect();
    const { code, error, partialSuccess } = await new Promise<OtlpExportResult>((resolve) => {
      // The application may trace HTTP requests: not those that export metrics.
      context.with(suppressTracing(context.active()), () => exporter.export(metrics, resolve));
    });
    if (code !== ExportResultCode.SUCCESS) return error ?? new Error('The exporter gives no reason.');
    return partialSuccess && rejectionError(partialSuccess, 'data points');
  }
}
