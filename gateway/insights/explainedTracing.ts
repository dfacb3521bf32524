import type { DocumentNode } from 'graphql';
import { invalidHeaderError } from '../admission/clientPreferences.ts';
import type { FetchOutcome } from '../telemetry/fetchSpan.ts';
import type { RequestTrace, SpanAttributes, SpanName, TraceSpan, Tracing } from '../telemetry/trace.ts';
import { readTraceHeaders, type TraceHeaders } from '../telemetry/traceContext.ts';

/** One request to a subgraph, or the look-up in the cache that took its place. Times are those of `performance.now()`. */
interface RecordedFetch {
  readonly subgraph: string;
  /** Entities that were fetched; 0 for root fields. */
  readonly entities: number;
  /** The delivery group that needs it; 0 is the first payload. */
  readonly group: number;
  readonly startedAt: number;
  /** `undefined` while it runs. */
  endedAt: number | undefined;
  outcome: FetchOutcome | undefined;
  /** Code of the error that it failed with. */
  error: string | undefined;
}

/** Records the fetches of requests with the header `tributary-explain: true`, in addition to the tracing of the gateway. Used
 *  only where clients may see them. */
export class ExplainedTracing implements Tracing {
  readonly #tracing: Tracing | undefined;

  constructor(tracing: Tracing | undefined) {
    this.#tracing = tracing;
  }

  /** @throws {GatewayError} `BAD_REQUEST` for another value of the header. */
  startTrace(...[name, start]: Parameters<Tracing['startTrace']>): ReturnType<Tracing['startTrace']> {
    const explain = start.headers.get('tributary-explain');
    if (explain !== undefined && explain !== 'true')
      throw invalidHeaderError('tributary-explain', 'true, or no such header');
    const { headers, trace } = this.#tracing?.startTrace(name, start) ?? {
      headers: readTraceHeaders(start.headers),
      trace: undefined,
    };
    return { headers, trace: explain === undefined ? trace : new ExplainedTrace(trace, headers) };
  }

  startLinked(...parameters: Parameters<Tracing['startLinked']>): RequestTrace | undefined {
    return this.#tracing?.startLinked(...parameters);
  }
}

/** The trace of a request that gets an explanation. */
export class ExplainedTrace implements RequestTrace {
  /** In the order of their starts. */
  readonly fetches: RecordedFetch[] = [];
  readonly root: TraceSpan;
  current: TraceSpan;
  readonly #trace: RequestTrace | undefined;

  /** `trace`: what the gateway's tracing records of the request. `headers`: what subgraphs get where it records nothing. */
  constructor(trace: RequestTrace | undefined, headers: TraceHeaders) {
    this.#trace = trace;
    this.root = new ExplainedSpan(this.fetches, trace?.root, headers);
    this.current = this.root;
  }

  onOperation(document: DocumentNode, operationName: string | undefined): void {
    this.#trace?.onOperation(document, operationName);
  }
}

class ExplainedSpan implements TraceSpan {
  readonly headers: TraceHeaders;
  readonly #fetches: RecordedFetch[];
  readonly #span: TraceSpan | undefined;
  readonly #fetch: RecordedFetch | undefined;

  constructor(
    fetches: RecordedFetch[],
    span: TraceSpan | undefined,
    headers: TraceHeaders,
    fetch?: RecordedFetch,
  ) {
    this.#fetches = fetches;
    this.#span = span;
    this.headers = span?.headers ?? headers;
    this.#fetch = fetch;
  }

  startChild(name: SpanName, attributes?: SpanAttributes, startedAt: number = performance.now()): TraceSpan {
    const fetch = name === 'subgraph.fetch' ? recordedFetchOf(attributes, startedAt) : undefined;
    if (fetch !== undefined) this.#fetches.push(fetch);
    const child = this.#span?.startChild(name, attributes, startedAt);
    return new ExplainedSpan(this.#fetches, child, this.headers, fetch);
  }

  startLinked(name: SpanName, attributes?: SpanAttributes): RequestTrace | undefined {
    const trace = this.#span?.startLinked(name, attributes);
    // Each event of a subscription has an explanation of its own.
    return name === 'tributary.event' ? new ExplainedTrace(trace, this.headers) : trace;
  }

  addLink(headers: TraceHeaders): void {
    this.#span?.addLink(headers);
  }

  setAttributes(attributes: SpanAttributes): void {
    const outcome = attributes['tributary.outcome'];
    // A fetch that has failed is ended once more, without its error, when the calls that were sent with it are done.
    if (this.#fetch !== undefined && this.#fetch.endedAt === undefined && outcome !== undefined)
      this.#fetch.outcome = outcome as FetchOutcome;
    this.#span?.setAttributes(attributes);
  }

  end(errorType?: string, endedAt: number = performance.now()): void {
    if (this.#fetch !== undefined && this.#fetch.endedAt === undefined) {
      this.#fetch.endedAt = endedAt;
      this.#fetch.error = errorType;
    }
    this.#span?.end(errorType, endedAt);
  }
}

function recordedFetchOf(attributes: SpanAttributes = {}, startedAt: number): RecordedFetch {
  return {
    subgraph: String(attributes['tributary.subgraph']),
    entities: Number(attributes['tributary.representations'] ?? 0),
    group: Number(attributes['tributary.group'] ?? 0),
    startedAt,
    endedAt: undefined,
    outcome: undefined,
    error: undefined,
  };
}
