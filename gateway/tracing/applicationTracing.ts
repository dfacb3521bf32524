import {
  type Attributes,
  type Context,
  createTraceState,
  type HrTime,
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { DocumentNode } from 'graphql';
import type {
  RequestTrace,
  SpanAttributes,
  SpanName,
  TraceSpan,
  TraceStart,
  Tracing,
} from '../telemetry/trace.ts';
import {
  readTraceHeaders,
  readTraceparent,
  readValidTraceHeaders,
  type TraceHeaders,
} from '../telemetry/traceContext.ts';
import type { OperationDescriptions } from './operationDescriptions.ts';
import { traceOffsetAt } from './traceClock.ts';

interface SpanStart {
  readonly kind: SpanKind;
  readonly parent: Context;
  readonly attributes: SpanAttributes;
  readonly links: readonly SpanContext[];
  readonly startedAt: number;
  readonly offsetMs: number;
}

/** Records spans with the tracer of an application, whose provider samples and exports them. Contexts are passed explicitly,
 *  as in `SpanRecorder`. `onFailure` receives what a sampler or a processor of the application throws: OpenTelemetry's SDK
 *  does not catch it, and it must not fail a request, or a refresh that others wait for. */
export class ApplicationTracing implements Tracing {
  readonly #tracer: Tracer;
  readonly #descriptions: OperationDescriptions;
  readonly #onFailure: (error: unknown) => void;

  constructor(tracer: Tracer, descriptions: OperationDescriptions, onFailure: (error: unknown) => void) {
    this.#tracer = tracer;
    this.#descriptions = descriptions;
    this.#onFailure = onFailure;
  }

  startTrace(
    name: SpanName,
    { headers, link, attributes = {}, startedAt = performance.now() }: TraceStart,
  ): ReturnType<Tracing['startTrace']> {
    const received = readValidTraceHeaders(headers);
    const parent = received && spanContextOf(received);
    const offsetMs = traceOffsetAt(startedAt);
    const span = this.start(name, {
      kind: SpanKind.SERVER,
      parent: parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent),
      attributes,
      links: toSpanContexts(link),
      startedAt,
      offsetMs,
    });
    return {
      // Without an SDK, the provider creates spans without ids.
      headers: isSpanContextValid(span.spanContext()) ? headersOf(span) : readTraceHeaders(headers),
      trace: span.isRecording() ? this.#traceOf(span, offsetMs) : undefined,
    };
  }

  startLinked(name: SpanName, link: string, attributes: SpanAttributes = {}): RequestTrace | undefined {
    const links = toSpanContexts(link);
    return links.length === 0 ? undefined : this.startCaused(name, links, attributes);
  }

  startCaused(
    name: SpanName,
    links: readonly SpanContext[],
    attributes: SpanAttributes,
  ): RequestTrace | undefined {
    const startedAt = performance.now();
    const offsetMs = traceOffsetAt(startedAt);
    const kind = kindOf(name);
    const span = this.start(name, { kind, parent: ROOT_CONTEXT, attributes, links, startedAt, offsetMs });
    return span.isRecording() ? this.#traceOf(span, offsetMs) : undefined;
  }

  start(name: SpanName, { kind, parent, attributes, links, startedAt, offsetMs }: SpanStart): Span {
    const options = {
      kind,
      startTime: toHrTime(offsetMs + startedAt),
      attributes: definedOf(attributes),
      links: links.map((context) => ({ context })),
    };
    // Without a span, nothing is recorded, and what is sent on belongs to the parent.
    const missing = trace.getSpanContext(parent) ?? INVALID_SPAN_CONTEXT;
    return (
      this.attempt(() => this.#tracer.startSpan(name, options, parent)) ?? trace.wrapSpanContext(missing)
    );
  }

  /** Returns `undefined` after a failure of the application's provider. */
  attempt<Result>(record: () => Result): Result | undefined {
    try {
      return record();
    } catch (error) {
      this.#onFailure(error);
      return undefined;
    }
  }

  #traceOf(span: Span, offsetMs: number): RequestTrace {
    const root = new ApplicationSpan(this, span, offsetMs);
    const onOperation = (document: DocumentNode, operationName: string | undefined): void =>
      root.setAttributes(this.#descriptions.of(document, operationName));
    return { root, current: root, onOperation };
  }
}

class ApplicationSpan implements TraceSpan {
  readonly #tracing: ApplicationTracing;
  readonly #span: Span;
  readonly #offsetMs: number;
  #headers: TraceHeaders | undefined;
  #context: Context | undefined;
  #isEnded = false;

  constructor(tracing: ApplicationTracing, span: Span, offsetMs: number) {
    this.#tracing = tracing;
    this.#span = span;
    this.#offsetMs = offsetMs;
  }

  get headers(): TraceHeaders {
    this.#headers ??= headersOf(this.#span);
    return this.#headers;
  }

  startChild(
    name: SpanName,
    attributes: SpanAttributes = {},
    startedAt: number = performance.now(),
  ): TraceSpan {
    this.#context ??= trace.setSpan(ROOT_CONTEXT, this.#span);
    const offsetMs = this.#offsetMs;
    const parent = this.#context;
    const start = { kind: kindOf(name), parent, attributes, links: [], startedAt, offsetMs };
    return new ApplicationSpan(this.#tracing, this.#tracing.start(name, start), offsetMs);
  }

  startLinked(name: SpanName, attributes: SpanAttributes = {}): RequestTrace | undefined {
    return this.#tracing.startCaused(name, [this.#span.spanContext()], attributes);
  }

  addLink([, traceparent]: TraceHeaders): void {
    if (this.#isEnded) return;
    for (const context of toSpanContexts(traceparent))
      this.#tracing.attempt(() => this.#span.addLink({ context }));
  }

  setAttributes(attributes: SpanAttributes): void {
    if (!this.#isEnded) this.#tracing.attempt(() => this.#span.setAttributes(definedOf(attributes)));
  }

  end(errorType?: string, endedAt: number = performance.now()): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#tracing.attempt(() => {
      if (errorType !== undefined) {
        this.#span.setAttribute('error.type', errorType);
        // By the semantic conventions, a caller that stops waiting is no failure.
        if (errorType !== 'cancelled') this.#span.setStatus({ code: SpanStatusCode.ERROR });
      }
      this.#span.end(toHrTime(this.#offsetMs + endedAt));
    });
  }
}

/** `time`: in milliseconds since 1970. */
function toHrTime(time: number): HrTime {
  const micros = Math.round(time * 1000);
  return [Math.floor(micros / 1e6), (micros % 1e6) * 1000];
}

function kindOf(name: SpanName): SpanKind {
  return name === 'subgraph.fetch' ? SpanKind.CLIENT : SpanKind.INTERNAL;
}

function definedOf(attributes: SpanAttributes): Attributes {
  const defined: Attributes = {};
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== undefined) defined[name] = value;
  }
  return defined;
}

function headersOf(span: Span): TraceHeaders {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const traceparent = `00-${traceId}-${spanId}-0${traceFlags & 1}`;
  const state = traceState?.serialize() ?? '';
  return state === '' ? ['traceparent', traceparent] : ['traceparent', traceparent, 'tracestate', state];
}

function spanContextOf([, traceparent = '', , tracestate]: TraceHeaders): SpanContext {
  const [, traceId = '', spanId = '', flags = '0'] = traceparent.split('-');
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  };
}

/** None for text that is no `traceparent`. */
function toSpanContexts(traceparent: string | undefined): readonly SpanContext[] {
  const valid = traceparent && readTraceparent(traceparent);
  return valid ? [spanContextOf(['traceparent', valid])] : [];
}
