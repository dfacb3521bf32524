import { describe, expect, test } from '@jest/globals';
import { ExplainedTrace, ExplainedTracing } from '../../../gateway/insights/explainedTracing.ts';
import { explainPayload } from '../../../gateway/insights/explainPayload.ts';
import { FetchSpan } from '../../../gateway/telemetry/fetchSpan.ts';
import type { RequestTrace, TraceSpan, Tracing } from '../../../gateway/telemetry/trace.ts';

const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const explained = new Map([['tributary-explain', 'true']]);

/** Records what is called on its spans, with the name of the span. */
class RecordingTracing implements Tracing {
  readonly calls: string[] = [];

  startTrace(name: string): { headers: readonly string[]; trace: RequestTrace } {
    const headers = ['traceparent', traceparent];
    return { headers, trace: this.#traceOf(name) };
  }

  startLinked(name: string): RequestTrace {
    return this.#traceOf(name);
  }

  #traceOf(name: string): RequestTrace {
    const root = this.#spanOf(name);
    return { root, current: root, onOperation: (_, operationName) => this.calls.push(`on ${operationName}`) };
  }

  #spanOf(name: string): TraceSpan {
    return {
      headers: ['traceparent', `${name} ${traceparent}`],
      startChild: (child) => this.#spanOf(`${name} > ${child}`),
      startLinked: (linked) => this.#traceOf(`${name} ~ ${linked}`),
      addLink: (headers) => this.calls.push(`${name} links ${headers[1]}`),
      setAttributes: (attributes) => this.calls.push(`${name} has ${JSON.stringify(attributes)}`),
      end: (errorType) => this.calls.push(`${name} ends ${errorType ?? ''}`),
    };
  }
}

function explain(tracing: Tracing | undefined, headers: ReadonlyMap<string, string>) {
  return new ExplainedTracing(tracing).startTrace('graphql.operation', { headers });
}

const attributes = { 'tributary.subgraph': 'reviews', 'tributary.representations': 2, 'tributary.group': 1 };

describe('ExplainedTracing', () => {
  test('leaves requests without the header to the tracing of the gateway', () => {
    const tracing = new RecordingTracing();
    expect(explain(tracing, new Map()).trace).not.toBeInstanceOf(ExplainedTrace);
    expect(explain(undefined, new Map([['traceparent', traceparent]]))).toEqual({
      headers: ['traceparent', traceparent],
      trace: undefined,
    });
  });

  test('refuses other values of the header', () => {
    expect(() => explain(undefined, new Map([['tributary-explain', '1']]))).toThrow(
      'The header "tributary-explain" has an invalid value. Expected true, or no such header.',
    );
  });

  test('records fetches with their outcomes, beside the spans of the tracing', () => {
    const tracing = new RecordingTracing();
    const trace = explain(tracing, explained).trace as ExplainedTrace;
    trace.current = trace.root.startChild('graphql.execute');
    const failed = new FetchSpan(trace.current.startChild('subgraph.fetch', attributes));
    failed.onSend('http://reviews');
    failed.end('SUBGRAPH_TIMEOUT');
    // Only the first end counts.
    failed.end();
    const notSent = new FetchSpan(trace.current.startChild('subgraph.fetch', attributes));
    notSent.end('CIRCUIT_OPEN');
    notSent.end();
    trace.current.startChild('subgraph.fetch', { 'tributary.subgraph': 'products' });
    const { fetches } = explainPayload(trace, 0, undefined);
    const [startMs, endMs] = [expect.any(Number), expect.any(Number)];
    expect(fetches).toEqual([
      {
        subgraph: 'reviews',
        entities: 2,
        group: 1,
        startMs,
        endMs,
        outcome: 'sent',
        error: 'SUBGRAPH_TIMEOUT',
      },
      { subgraph: 'reviews', entities: 2, group: 1, startMs, endMs, error: 'CIRCUIT_OPEN' },
      { subgraph: 'products', entities: 0, group: 0, startMs, endMs: null },
    ]);
    expect(tracing.calls.map((call) => call.slice(0, 60))).toContain(
      'graphql.operation > graphql.execute > subgraph.fetch ends SU',
    );
    expect(failed.headers).toEqual([
      'traceparent',
      `graphql.operation > graphql.execute > subgraph.fetch ${traceparent}`,
    ]);
  });

  test('explains each event of a subscription by itself, and sends on the headers of the client without tracing', () => {
    const headers = new Map([...explained, ['traceparent', traceparent]]);
    const trace = explain(undefined, headers).trace as ExplainedTrace;
    trace.root.startChild('subgraph.fetch', attributes);
    const event = trace.root.startLinked('tributary.event') as ExplainedTrace;
    event.root.startChild('subgraph.fetch', attributes);
    expect([trace.fetches.length, event.fetches.length]).toEqual([1, 1]);
    expect(event.root.headers).toEqual(['traceparent', traceparent]);
    expect(trace.root.startLinked('subgraph.fetch')).toBeUndefined();
  });
});
