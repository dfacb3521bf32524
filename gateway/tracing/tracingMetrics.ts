import type { Registry } from 'prom-client';
import { registerCounter } from '../telemetry/registerCounter.ts';
import type { SpanExportQueue } from './spanExportQueue.ts';

/** Registers the counters of exported and of dropped spans. */
export function registerTracingMetrics(
  registry: Registry,
  queue: Pick<SpanExportQueue, 'exported' | 'droppedFull' | 'droppedFailed' | 'droppedRejected'>,
): void {
  registerCounter(registry, {
    name: 'tributary_spans_exported_total',
    help: 'Spans that the collector has taken.',
    labelNames: [],
    read: (set) => set({}, queue.exported),
  });
  registerCounter(registry, {
    name: 'tributary_spans_dropped_total',
    help: 'Spans that were lost.',
    labelNames: ['reason'],
    read: (set) => {
      set({ reason: 'queue_full' }, queue.droppedFull);
      set({ reason: 'export_failed' }, queue.droppedFailed);
      set({ reason: 'rejected' }, queue.droppedRejected);
    },
  });
}
