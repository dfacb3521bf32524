import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { shareAttributes } from '../../../gateway/telemetry/sharedAttributes.ts';
import type { RequestTrace } from '../../../gateway/telemetry/trace.ts';
import { OperationDescriptions } from '../../../gateway/tracing/operationDescriptions.ts';
import type { RecordedSpan } from '../../../gateway/tracing/recordedSpan.ts';
import { SpanBatch, SpanBatchHeads } from '../../../gateway/tracing/spanBatch.ts';
import { SpanRecorder } from '../../../gateway/tracing/spanRecorder.ts';

import { decodeTraces, type ExportedSpan } from '../../harness/decodeOtlp.ts';

const resource = { 'service.name': 'shop', 'service.instance.id': 'é'.repeat(200) };

function open() {
  const ended: RecordedSpan[] = [];
  const recorder = new SpanRecorder({
    descriptions: new OperationDescriptions(true),
    sampleRatio: 1,
    onEnd: (span) => ended.push(span),
  });
  const batch = new SpanBatch(new SpanBatchHeads({ attributes: resource }));
  const start = (headers: Readonly<Record<string, string>> = {}): RequestTrace =>
    recorder.startTrace('graphql.operation', { headers: new Map(Object.entries(headers)) })
      .trace as RequestTrace;
  const exported = (): readonly ExportedSpan[] => {
    batch.clear();
    while (ended.length > 0) batch.add(ended.splice(0, 700));
    return decodeTraces(Buffer.from(batch.toRequest()));
  };
  return { start, exported, recorder };
}

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parentSpanId = 'b7ad6b7169203331';
const traceparent = `00-${traceId}-${parentSpanId}-01`;

test('a continued trace is exported with its ids, its state, its attributes, its links and its times', () => {
  const { start, exported } = open();
  const before = BigInt(Date.now() - 1_000) * 1_000_000n;
  const trace = start({ traceparent, tracestate: 'rojo=1' });
  const { root } = trace;
  trace.onOperation(parse('query Page($id: ID!) { top(id: $id, text: "secret") { name } }'), 'Page');
  const child = root.startChild('subgraph.fetch', {
    text: '',
    kind: 'été',
    none: undefined,
    list: ['a', 'ß'.repeat(90)],
  });
  child.addLink(['traceparent', `00-${'f'.repeat(32)}-${'e'.repeat(16)}-00`]);
  child.addLink(['traceparent', 'nonsense']);
  child.setAttributes({
    kind: 'second',
    count: 0,
    large: 2 ** 40,
    negative: -3,
    ratio: 0.25,
    yes: true,
    no: false,
  });
  child.end('SUBGRAPH_TIMEOUT');
  child.setAttributes({ later: 1 });
  root.setAttributes({ 'error.type': 'FIRST' });
  root.end('cancelled');
  const [fetch, operation] = exported() as [ExportedSpan, ExportedSpan];
  expect({ ...fetch, start: 0, end: 0 }).toEqual({
    traceId,
    spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
    parentSpanId: operation.spanId,
    traceState: 'rojo=1',
    name: 'subgraph.fetch',
    kind: 'client',
    start: 0,
    end: 0,
    attributes: {
      'error.type': 'SUBGRAPH_TIMEOUT',
      text: '',
      kind: 'second',
      list: ['a', 'ß'.repeat(90)],
      count: 0,
      large: 2 ** 40,
      negative: -3,
      ratio: 0.25,
      yes: true,
      no: false,
    },
    links: [{ traceId: 'f'.repeat(32), spanId: 'e'.repeat(16) }],
    isError: true,
    // Sampled, with a parent in this process.
    flags: 0x101,
    resource,
  });
  // Sampled, with a remote parent.
  expect(operation).toMatchObject({ traceId, parentSpanId, kind: 'server', links: [], flags: 0x301 });
  expect(operation.isError).toBe(false);
  expect(operation.attributes).toEqual({
    'graphql.operation.name': 'Page',
    'graphql.operation.type': 'query',
    'graphql.document': 'query Page($id: ID!) {\n  top(id: $id, text: "") {\n    name\n  }\n}',
    'error.type': 'cancelled',
  });
  const times = [before, operation.start, fetch.start, fetch.end, operation.end, before + 60_000_000_000n];
  expect(times).toEqual(times.toSorted((a, b) => Number(a - b)));
  expect(root.headers).toEqual([
    'traceparent',
    `00-${traceId}-${operation.spanId}-01`,
    'tracestate',
    'rojo=1',
  ]);
});

test('batches of spans of every size are exported whole, one after the other', () => {
  const { start, exported } = open();
  for (const count of [1, 2_000, 3]) {
    const texts = Array.from({ length: count }, (_, index) => 'x'.repeat((index * 37) % 500) + index);
    texts.push('y'.repeat(20_000), 'z'.repeat(128), 'ö'.repeat(63), 'ö'.repeat(64), '🙂');
    for (const text of texts) {
      const { root } = start();
      root.setAttributes({ text });
      root.end();
    }
    const spans = exported();
    expect(spans.map(({ attributes }) => attributes.text)).toEqual(texts);
    expect(new Set(spans.flatMap((span) => [span.traceId, span.spanId])).size).toBe(2 * texts.length);
  }
});

test('a trace that another one has caused has a trace of its own, which links to it', () => {
  const { recorder, start, exported } = open();
  const cause = start();
  cause.root.startLinked('tributary.event', { 'tributary.subgraph': 'stock' })?.root.end();
  recorder.startLinked('tributary.enrichment', traceparent)?.root.end();
  cause.root.end();
  const [event, job, operation] = exported() as [ExportedSpan, ExportedSpan, ExportedSpan];
  expect(event).toMatchObject({
    kind: 'internal',
    parentSpanId: '',
    flags: 0x101,
    attributes: { 'tributary.subgraph': 'stock' },
  });
  expect(event.links).toEqual([{ traceId: operation.traceId, spanId: operation.spanId }]);
  expect(job.links).toEqual([{ traceId, spanId: parentSpanId }]);
  expect(new Set([event, job, operation].map((span) => span.traceId)).size).toBe(3);
});

test('shared attributes are exported with each span, and replace earlier ones and are replaced like others', () => {
  const { start, exported } = open();
  const attributes = shareAttributes({ first: 'shared', none: undefined, count: 7 });
  const sets = [[attributes], [attributes], [{ first: 'own' }, attributes], [attributes, { first: 'own' }]];
  for (const own of sets) {
    const { root } = start();
    for (const set of own) root.setAttributes(set);
    root.end();
  }
  expect(exported().map((span) => span.attributes)).toEqual([
    { first: 'shared', count: 7 },
    { first: 'shared', count: 7 },
    { first: 'shared', count: 7 },
    { first: 'own', count: 7 },
  ]);
});
