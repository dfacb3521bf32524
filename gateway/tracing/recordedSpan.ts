import type { RequestTrace, SpanAttributes, SpanName, TraceSpan } from '../telemetry/trace.ts';
import {
  RandomIds,
  readTraceparent,
  spanIdBytes,
  type TraceHeaders,
  traceIdBytes,
} from '../telemetry/traceContext.ts';
import type { OperationDescriptions } from './operationDescriptions.ts';

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
  readonly id: string;
  /** The id as 32-bit integers: it is written as bytes. */
  readonly idWords: readonly number[];
  readonly state: string | undefined;
  /** What `performance.now()` is added to, for milliseconds since 1970. Set when the trace begins: times within it are
   *  consistent although the clock of the machine may be changed. */
  readonly offsetMs = currentOffsetMs();

  /** `headers`: of the trace that is continued; `undefined` for a new one. */
  constructor(recorder: Recorder, headers: TraceHeaders | undefined) {
    this.recorder = recorder;
    const [, traceparent, , state] = headers ?? [];
    this.state = state;
    if (traceparent === undefined) {
      ids.take(traceIdBytes);
      this.id = ids.hex;
      this.idWords = [ids.wordAt(0), ids.wordAt(1), ids.wordAt(2), ids.wordAt(3)];
    } else {
      this.id = traceparent.slice(3, 35);
      this.idWords = [0, 8, 16, 24].map((at) => parseWord(this.id, at));
    }
  }
}

/** The wall clock has whole milliseconds. With an offset from it for each trace, times of two traces would differ by up to
 *  one: a job could end before the fetch that it waits for. So traces have the same offset, until the clock is changed. */
const maxClockDifferenceMs = 20;

let offsetMs = performance.timeOrigin;

function currentOffsetMs(): number {
  const now = Date.now() - performance.now();
  if (Math.abs(now - offsetMs) > maxClockDifferenceMs) offsetMs = now;
  return offsetMs;
}

const ids = new RandomIds();

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

/** A span as it is recorded: what is needed to write it, after the request has ended. */
export class RecordedSpan implements TraceSpan, ParentSpan {
  readonly trace: LocalTrace;
  readonly name: SpanName;
  readonly kind: SpanKind;
  readonly id: string;
  /** The id as 32-bit integers: it is written as bytes. */
  readonly idHigh: number;
  readonly idLow: number;
  readonly isRemote = false;
  readonly parent: ParentSpan | undefined;
  /** On `performance.now()`'s clock. */
  readonly startedAt: number;
  endedAt = 0;
  /** As they were set. Later ones replace earlier ones of the same name. */
  readonly attributes: (SpanAttributes | undefined)[];
  /** Valid `traceparent`s. */
  links: string[] | undefined;
  errorType: string | undefined;
  isError = false;
  #headers: TraceHeaders | undefined;
  #isEnded = false;
  #attributeSets = 1;

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
    ids.take(spanIdBytes);
    this.id = ids.hex;
    this.idHigh = ids.wordAt(0);
    this.idLow = ids.wordAt(1);
    this.parent = parent;
    // With room for all that stages set: an array that grows takes room for 16 more.
    this.attributes = [attributes, undefined, undefined, undefined];
    this.startedAt = startedAt;
  }

  get headers(): TraceHeaders {
    if (this.#headers === undefined) {
      const { id, state } = this.trace;
      const traceparent = `00-${id}-${this.id}-01`;
      this.#headers =
        state === undefined
          ? ['traceparent', traceparent]
          : ['traceparent', traceparent, 'tracestate', state];
    }
    return this.#headers;
  }

  startChild(name: SpanName, attributes?: SpanAttributes): TraceSpan {
    return new RecordedSpan(this.trace, name, kindOf(name), this, attributes, performance.now());
  }

  startLinked(name: SpanName, attributes?: SpanAttributes): RequestTrace {
    return this.trace.recorder.startCaused(name, this.headers[1] as string, attributes);
  }

  addLink([, traceparent = '']: TraceHeaders): void {
    const link = this.#isEnded ? undefined : readTraceparent(traceparent);
    if (link === undefined) return;
    this.links ??= [];
    this.links.push(link);
  }

  setAttributes(attributes: SpanAttributes): void {
    if (this.#isEnded) return;
    this.attributes[this.#attributeSets] = attributes;
    this.#attributeSets += 1;
  }

  end(errorType?: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.errorType = errorType;
    // By the semantic conventions, a caller that stops waiting is no failure.
    this.isError = errorType !== undefined && errorType !== 'cancelled';
    this.endedAt = performance.now();
    // Little is to wait for the export.
    this.#headers = undefined;
    this.trace.recorder.onEnd(this);
  }
}

export function kindOf(name: SpanName): SpanKind {
  return name === 'subgraph.fetch' ? spanKinds.client : spanKinds.internal;
}

function parseWord(hex: string, at: number): number {
  return Number.parseInt(hex.slice(at, at + 8), 16) | 0;
}
