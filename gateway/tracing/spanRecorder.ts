import type { DocumentNode } from 'graphql';
import type { RequestTrace, SpanAttributes, SpanName, TraceStart, Tracing } from '../telemetry/trace.ts';
import { isSampled, readTraceparent, readValidTraceHeaders } from '../telemetry/traceContext.ts';
import { newTraceparent } from '../telemetry/traceparent.ts';
import type { OperationDescriptions } from './operationDescriptions.ts';
import { kindOf, LocalTrace, RecordedSpan, remoteParentOf, spanKinds } from './recordedSpan.ts';

interface SpanRecorderOptions {
  readonly descriptions: OperationDescriptions;
  /** Which part of the traces that begin here is recorded. Others are recorded if their parent or their cause is. */
  readonly sampleRatio: number;
  /** Takes spans that have ended. */
  readonly onEnd: (span: RecordedSpan) => void;
}

/** Records the spans of the traces that are sampled. Contexts are passed explicitly: fetches of several requests share
 *  batches and calls, so that "the active span" would be that of some request. */
export class SpanRecorder implements Tracing {
  readonly descriptions: OperationDescriptions;
  readonly onEnd: (span: RecordedSpan) => void;
  readonly #sampleRatio: number;

  constructor({ descriptions, sampleRatio, onEnd }: SpanRecorderOptions) {
    this.descriptions = descriptions;
    this.#sampleRatio = sampleRatio;
    this.onEnd = onEnd;
  }

  startTrace(
    name: SpanName,
    { headers, link, attributes, startedAt = performance.now() }: TraceStart,
  ): ReturnType<Tracing['startTrace']> {
    const received = readValidTraceHeaders(headers);
    if (!this.#mayRecord(received?.[1] ?? link))
      return { headers: received ?? ['traceparent', newTraceparent()], trace: undefined };
    const parent = received && remoteParentOf(received);
    const trace = new LocalTrace(this, received, startedAt);
    const root = new RecordedSpan(trace, name, spanKinds.server, parent, attributes, startedAt);
    if (link !== undefined) root.addLink(['traceparent', link]);
    return { headers: root.headers, trace: new RecordedTrace(root) };
  }

  startLinked(name: SpanName, link: string, attributes?: SpanAttributes): RequestTrace | undefined {
    return readTraceparent(link) === undefined || !this.#mayRecord(link)
      ? undefined
      : this.startCaused(name, link, attributes);
  }

  /** Starts a trace that links to the span with this `traceparent`. */
  startCaused(name: SpanName, link: string, attributes: SpanAttributes | undefined): RequestTrace {
    const startedAt = performance.now();
    const trace = new LocalTrace(this, undefined, startedAt);
    const root = new RecordedSpan(trace, name, kindOf(name), undefined, attributes, startedAt);
    root.addLink(['traceparent', link]);
    return new RecordedTrace(root);
  }

  /** `cause`: `traceparent` of the parent, or of the span that a new trace links to. A job without the request that left it
   *  behind explains nothing, and neither does the request without its job. */
  #mayRecord(cause: string | undefined): boolean {
    return cause === undefined ? Math.random() < this.#sampleRatio : isSampled(cause);
  }
}

class RecordedTrace implements RequestTrace {
  readonly root: RecordedSpan;
  current: RequestTrace['current'];

  constructor(root: RecordedSpan) {
    this.root = root;
    this.current = root;
  }

  onOperation(document: DocumentNode, operationName: string | undefined): void {
    this.root.setAttributes(this.root.trace.recorder.descriptions.of(document, operationName));
  }
}
