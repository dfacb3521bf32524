import { describe, expect, test } from '@jest/globals';
import { ExportResultCode } from '@opentelemetry/core';
import { Registry } from 'prom-client';
import type { OtlpExportResult } from '../../../gateway/tracing/otlpExporter.ts';
import type { RecordedSpan } from '../../../gateway/tracing/recordedSpan.ts';
import type { SpanBatch } from '../../../gateway/tracing/spanBatch.ts';
import { type SpanBatchExporter, SpanExportQueue } from '../../../gateway/tracing/spanExportQueue.ts';
import { registerTracingMetrics } from '../../../gateway/tracing/tracingMetrics.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

/** The names of spans instead of their bytes. */
class NamedBatch {
  bytes = 0;
  names: string[] = [];

  get count(): number {
    return this.names.length;
  }

  add(spans: readonly RecordedSpan[]): void {
    this.names.push(...spans.map(({ name }) => name));
    this.bytes += spans.reduce((sum, { name }) => sum + name.length, 0);
  }

  clear(): void {
    this.names = [];
    this.bytes = 0;
  }
}

/** A collector that the test answers for. */
class ManualExporter implements SpanBatchExporter {
  readonly batches: {
    readonly names: readonly string[];
    readonly end: (result: OtlpExportResult) => void;
  }[] = [];
  isShutDown = false;

  createBatch(): NamedBatch & SpanBatch {
    return new NamedBatch() as NamedBatch & SpanBatch;
  }

  export({ names }: NamedBatch & SpanBatch, end: (result: OtlpExportResult) => void): void {
    this.batches.push({ names: [...names], end });
  }

  async shutdown(): Promise<void> {
    this.isShutDown = true;
  }
}

const taken = { code: ExportResultCode.SUCCESS };
const refused = { code: ExportResultCode.FAILED, error: new Error('status 401') };

// As Node.js reports it for a host name with several addresses, such as `localhost`: without a message of its own.
const unreachable = {
  code: ExportResultCode.FAILED,
  error: new AggregateError([new Error('refused by ::1'), new Error('refused by 127.0.0.1')]),
};

function started() {
  const exporter = new ManualExporter();
  const timers = new FakeTimers();
  const log: string[] = [];
  const queue = new SpanExportQueue({
    exporter,
    timers,
    batchSize: 2,
    delayMs: 100,
    onOutage: (reason) => log.push(reason),
    onRecovery: (dropped) => log.push(`recovered after ${dropped}`),
  });
  const add = (...names: string[]): void => {
    for (const name of names) queue.add({ name } as unknown as RecordedSpan);
  };
  const names = (): readonly string[] => exporter.batches.map((batch) => batch.names.join());
  const answer = async (index: number, result: OtlpExportResult): Promise<void> => {
    exporter.batches[index]?.end(result);
    await waitForTurns();
  };
  return { exporter, timers, log, queue, add, names, answer };
}

describe('The queue of spans', () => {
  test('exports a batch when it is full, or when its first span has waited long enough', async () => {
    const { timers, add, names, answer } = started();
    add('a');
    timers.advance(99);
    expect(names()).toEqual([]);
    timers.advance(1);
    expect(names()).toEqual(['a']);
    await answer(0, taken);
    add('b', 'c');
    expect(names()).toEqual(['a', 'b,c']);
    expect(timers.pendingCount).toBe(0);
  });

  test('exports a batch that has a megabyte, although it has few spans', () => {
    const exporter = new ManualExporter();
    const queue = new SpanExportQueue({
      exporter,
      timers: new FakeTimers(),
      onOutage: () => {},
      onRecovery: () => {},
    });
    const add = (): void => queue.add({ name: 'n'.repeat(16_384) } as unknown as RecordedSpan);
    for (let span = 1; span < 64; span++) add();
    expect(exporter.batches).toEqual([]);
    add();
    expect(exporter.batches.map(({ names }) => names.length)).toEqual([64]);
  });

  test('exports one batch at a time, and drops and counts what does not fit meanwhile, with one warning', async () => {
    const { queue, log, add, names, answer } = started();
    add('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    expect(names()).toEqual(['a,b']);
    expect(queue).toMatchObject({ exported: 0, droppedFull: 2, droppedFailed: 0 });
    expect(log).toEqual([expect.stringContaining('the queue is full')]);
    await answer(0, taken);
    await answer(1, taken);
    expect(names()).toEqual(['a,b', 'c,d', 'e,f']);
    expect(log[1]).toBe('recovered after 2');
    add('i', 'j', 'k', 'l', 'm');
    expect(log).toHaveLength(3);
  });

  test('counts the spans of batches that the collector refuses, and warns once until it takes one', async () => {
    const { queue, log, add, answer } = started();
    add('a', 'b');
    await answer(0, refused);
    add('c', 'd');
    await answer(1, refused);
    expect(queue).toMatchObject({ exported: 0, droppedFull: 0, droppedFailed: 4 });
    expect(log).toEqual(['status 401']);
    add('e', 'f');
    await answer(2, taken);
    add('g', 'h');
    await answer(3, refused);
    expect(log).toEqual(['status 401', 'recovered after 4', 'status 401']);
    const registry = new Registry();
    registerTracingMetrics(registry, queue);
    expect((await registry.metrics()).match(/^tributary.*/gm)).toEqual([
      'tributary_spans_exported_total 2',
      'tributary_spans_dropped_total{reason="queue_full"} 0',
      'tributary_spans_dropped_total{reason="export_failed"} 6',
      'tributary_spans_dropped_total{reason="rejected"} 0',
    ]);
  });

  test('warns with what is wrong with each address of a collector that cannot be reached', async () => {
    const { log, add, answer } = started();
    add('a', 'b');
    await answer(0, unreachable);
    expect(log).toEqual(['refused by ::1; refused by 127.0.0.1']);
  });

  test('counts the spans that the collector rejects of a batch, and warns once until it takes all of one', async () => {
    const { queue, log, add, answer } = started();
    add('a', 'b');
    await answer(0, { ...taken, partialSuccess: { rejected: 1, message: 'quota' } });
    add('c', 'd');
    await answer(1, { ...taken, partialSuccess: { rejected: 3, message: '' } });
    const warning = 'The collector has rejected 1 of 2 spans. Its message: quota';
    expect(log).toEqual([warning]);
    add('e', 'f');
    await answer(2, taken);
    expect(log).toEqual([warning, 'recovered after 3']);
    expect(queue).toMatchObject({ exported: 3, droppedFull: 0, droppedFailed: 0, droppedRejected: 3 });
  });

  test('exports everything before it closes', async () => {
    const { exporter, queue, add, names, answer } = started();
    add('a', 'b', 'c');
    const closed = queue.close(1_000);
    await answer(0, taken);
    expect([names(), exporter.isShutDown]).toEqual([['a,b', 'c'], false]);
    await answer(1, taken);
    await closed;
    expect([exporter.isShutDown, queue.exported]).toEqual([true, 3]);
  });

  test('closes in time although the collector does not answer, and counts what is lost', async () => {
    const { exporter, timers, queue, add } = started();
    add('a', 'b', 'c');
    const closed = queue.close(1_000);
    timers.advance(1_000);
    await closed;
    add('d');
    expect([exporter.isShutDown, queue.droppedFull, timers.pendingCount]).toEqual([true, 2, 0]);
  });
});
