import type { DocumentNode } from 'graphql';
import type { TraceHeaders } from './traceContext.ts';

/** The spans that the gateway records. */
export const spanNames = [
  'graphql.operation',
  'graphql.parse',
  'graphql.validate',
  'graphql.plan',
  'graphql.execute',
  'subgraph.fetch',
  'tributary.payload',
  'tributary.enrichment',
  'tributary.event',
] as const;

export type SpanName = (typeof spanNames)[number];

/** `undefined` values are omitted. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | string[] | undefined>>;

/** A span that is being recorded. No method throws. */
export interface TraceSpan {
  /** What a request that belongs to the span sends on: `traceparent`, and perhaps `tracestate`. */
  readonly headers: TraceHeaders;
  /** `startedAt`: on `performance.now()`'s clock; now when omitted. */
  startChild(name: SpanName, attributes?: SpanAttributes, startedAt?: number): TraceSpan;
  /** Starts a trace that links to this span, for what may outlive it. */
  startLinked(name: SpanName, attributes?: SpanAttributes): RequestTrace | undefined;
  addLink(headers: TraceHeaders): void;
  setAttributes(attributes: SpanAttributes): void;
  /** `errorType`: what the span failed with (`error.type`), such as an error code. `endedAt`: as `startedAt`. Only the first
   *  call counts. */
  end(errorType?: string, endedAt?: number): void;
}

/** The spans of one request, one job or one event. Absent where nothing is recorded. */
export interface RequestTrace {
  readonly root: TraceSpan;
  /** The span that fetches belong to which start from now on. */
  current: TraceSpan;
  /** Adds what the operation is to the root. */
  onOperation(document: DocumentNode, operationName: string | undefined): void;
}

export interface TraceStart {
  /** The headers of the client that may have begun the trace, with names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** `traceparent` of the span that caused this one on another connection. */
  readonly link?: string | undefined;
  readonly attributes?: SpanAttributes;
  /** On `performance.now()`'s clock; now when omitted. */
  readonly startedAt?: number;
}

interface StartedTrace {
  /** What requests to subgraphs send on, whether or not the trace is recorded. */
  readonly headers: TraceHeaders;
  /** `undefined` if the trace is not sampled. */
  readonly trace: RequestTrace | undefined;
}

/** Starts traces. Absent where tracing is off. */
export interface Tracing {
  /** Continues the trace of a client, or starts one. */
  startTrace(name: SpanName, start: TraceStart): StartedTrace;
  /** Starts a trace of its own that links to the span with this `traceparent`; `undefined` if it is not sampled. */
  startLinked(name: SpanName, link: string, attributes?: SpanAttributes): RequestTrace | undefined;
}
