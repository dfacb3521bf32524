import { randomIdWord } from '../telemetry/randomIds.ts';
import type { RequestTrace, SpanAttributes, SpanName, TraceSpan } from '../telemetry/trace.ts';
import { readTraceparent, type TraceHeaders } from '../telemetry/traceContext.ts';
import { formatTraceparent, randomTraceId, type TraceIdWords } from '../telemetry/traceparent.ts';
import type { OperationDescriptions } from './operationDescriptions.ts';
import { traceOffsetAt } from './traceClock.ts';

/** Kinds of spans, with their numbers in OTLP. */
export const spanKinds = { internal: 1, server: 2, client: 3 } as const;

type SpanKind = (typeof spanKinds)[keyof typeof spanKinds];

/** What records the spans of a trace. */
interface Recorder {
  readonly descriptions: OperationDescriptions;
  readonly onEnd: (span: RecordedSpan) => void;
  /** Starts a trace that links to the span with this `traceparent`. */
  startCaused(name: SpanName, link: string, attributes: SpanAttributes | undefined): RequestTrace;
}

/** What the spans of one trace have in common. */
export class LocalTrace {
  readonly recorder: Recorder;
  readonly id: TraceIdWords;
  readonly state: string | undefined;
  /** See `traceOffsetAt`. */
  readonly offsetMs: number;

  /** `headers`: of the trace that is continued; `undefined` for a new one. `startedAt`: on `performance.now()`'s clock. */
  constructor(recorder: Recorder, headers: TraceHeaders | undefined, startedAt: number) {
    this.offsetMs = traceOffsetAt(startedAt);
    this.recorder = recorder;
    const [, traceparent, , state] = headers ?? [];
    this.state = state;
    this.id = traceparent === undefined ? randomTraceId() : traceIdOf(traceparent);
  }
}

function traceIdOf(traceparent: string): TraceIdWords {
  return [
    parseWord(traceparent, 3),
    parseWord(traceparent, 11),
    parseWord(traceparent, 19),
    parseWord(traceparent, 27),
  ];
}

/** The parent of a span, which may be recorded in another process. */
export interface ParentSpan {
  readonly idHigh: number;
  readonly idLow: number;
  readonly isRemote: boolean;
}

/** `traceparent`: a valid one. */
export function remoteParentOf([, traceparent = '']: TraceHeaders): ParentSpan {
  return { idHigh: parseWord(traceparent, 36), idLow: parseWord(traceparent, 44), isRemote: true };
}

/** Attributes as a stage has set them. */
interface AttributeSet {
  readonly attributes: SpanAttributes;
  readonly earlier: AttributeSet | undefined;
}

/** A span as it is recorded: what is needed to write it, after the request has ended. */
export class RecordedSpan implements TraceSpan, ParentSpan {
  readonly trace: LocalTrace;
  readonly name: SpanName;
  readonly kind: SpanKind;
  readonly parent: ParentSpan | undefined;
  /** The id as 32-bit integers: it is written as bytes. */
  readonly idHigh = randomIdWord();
  readonly idLow = randomIdWord();
  /** On `performance.now()`'s clock. */
  readonly startedAt: number;
  /** `NaN` until the span ends. */
  endedAt = Number.NaN;
  /** The last ones. They replace earlier ones of the same name. */
  attributes: AttributeSet | undefined;
  /** Valid `traceparent`s. */
  links: string[] | undefined;
  errorType: string | undefined;

  constructor(
    trace: LocalTrace,
    name: SpanName,
    kind: SpanKind,
    parent: ParentSpan | undefined,
    attributes: SpanAttributes | undefined,
    startedAt: number,
  ) {
    this.trace = trace;
    this.name = name;
    this.kind = kind;
    this.parent = parent;
    this.attributes = attributes && { attributes, earlier: undefined };
    this.startedAt = startedAt;
  }

  get isRemote(): boolean {
    return false;
  }

  get headers(): TraceHeaders {
    const { id, state } = this.trace;
    const traceparent = formatTraceparent(id, this.idHigh, this.idLow, true);
    return state === undefined
      ? ['traceparent', traceparent]
      : ['traceparent', traceparent, 'tracestate', state];
  }

  startChild(name: SpanName, attributes?: SpanAttributes, startedAt = performance.now()): TraceSpan {
    return new RecordedSpan(this.trace, name, kindOf(name), this, attributes, startedAt);
  }

  startLinked(name: SpanName, attributes?: SpanAttributes): RequestTrace {
    return this.trace.recorder.startCaused(name, this.headers[1] as string, attributes);
  }

  addLink([, traceparent = '']: TraceHeaders): void {
    const link = this.#hasEnded ? undefined : readTraceparent(traceparent);
    if (link === undefined) return;
    this.links ??= [];
    this.links.push(link);
  }

  setAttributes(attributes: SpanAttributes): void {
    if (!this.#hasEnded) this.attributes = { attributes, earlier: this.attributes };
  }

  end(errorType?: string, endedAt = performance.now()): void {
    if (this.#hasEnded) return;
    this.errorType = errorType;
    this.endedAt = endedAt;
    this.trace.recorder.onEnd(this);
  }

  get #hasEnded(): boolean {
    return !Number.isNaN(this.endedAt);
  }
}

export function kindOf(name: SpanName): SpanKind {
  return name === 'subgraph.fetch' ? spanKinds.client : spanKinds.internal;
}

function parseWord(hex: string, at: number): number {
  return Number.parseInt(hex.slice(at, at + 8), 16) | 0;
}
