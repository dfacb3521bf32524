import { describe, expect, test } from '@jest/globals';
import { OperationDescriptions } from '../../../gateway/tracing/operationDescriptions.ts';
import { SpanRecorder } from '../../../gateway/tracing/spanRecorder.ts';

function recorderWith(sampleRatio: number): SpanRecorder {
  return new SpanRecorder({ descriptions: new OperationDescriptions(false), sampleRatio, onEnd: () => {} });
}

const traceId = '0af7651916cd43dd8448eb211c80319c';
const sampled = `00-${traceId}-b7ad6b7169203331-01`;
const unsampled = `00-${traceId}-b7ad6b7169203331-00`;
const none = new Map<string, string>();

/** The flags that subgraphs get. They are those of the spans. */
function start(recorder: SpanRecorder, traceparent?: string): string | undefined {
  const headers = traceparent === undefined ? none : new Map([['traceparent', traceparent]]);
  const started = recorder.startTrace('graphql.operation', { headers });
  const flags = started.headers[1]?.slice(-2);
  expect(started.trace !== undefined).toBe(flags === '01');
  return flags;
}

describe('Whether a trace is sampled', () => {
  test.each([
    ['a request without a trace', undefined, '01', '00'],
    ['a request in a sampled trace', sampled, '01', '01'],
    ['a request in a trace that is not sampled', unsampled, '00', '00'],
    ['a request with an invalid traceparent', 'nonsense', '01', '00'],
  ])('depends on sampleRatio or on the client, for %s', (_, traceparent, always, never) => {
    expect([start(recorderWith(1), traceparent), start(recorderWith(0), traceparent)]).toEqual([
      always,
      never,
    ]);
  });

  test('is no reason to change the trace that subgraphs get: without a span of the gateway, it is the client’s', () => {
    const headers = new Map([
      ['traceparent', unsampled],
      ['tracestate', 'rojo=1'],
    ]);
    expect(recorderWith(1).startTrace('graphql.operation', { headers })).toEqual({
      headers: ['traceparent', unsampled, 'tracestate', 'rojo=1'],
      trace: undefined,
    });
  });

  test('depends on the cause for a job, for any sampleRatio', () => {
    for (const recorder of [recorderWith(0), recorderWith(1)]) {
      expect(recorder.startLinked('tributary.enrichment', sampled)).toBeDefined();
      expect(recorder.startLinked('tributary.enrichment', unsampled)).toBeUndefined();
      expect(recorder.startLinked('tributary.enrichment', 'nonsense')).toBeUndefined();
    }
  });

  test('is decided for a part of the requests', () => {
    const recorder = recorderWith(0.25);
    const count = Array.from({ length: 2_000 }, () => start(recorder)).filter(
      (flags) => flags === '01',
    ).length;
    // 500 are expected. 11 standard deviations on either side.
    expect(count).toBeGreaterThan(285);
    expect(count).toBeLessThan(715);
  });
});
