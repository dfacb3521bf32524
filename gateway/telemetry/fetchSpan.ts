import type { SpanAttributes, TraceSpan } from './trace.ts';
import type { TraceHeaders } from './traceContext.ts';

/** How a fetch got its data. Later ones outrank earlier ones. */
const outcomes = ['cached', 'joined', 'sent', 'retried', 'hedged', 'stale'] as const;

export type FetchOutcome = (typeof outcomes)[number];

/** The span `subgraph.fetch` of fetches that one operation sends to one subgraph together. It travels with them, and
 *  each part that handles them reports here. */
export class FetchSpan {
  readonly #span: TraceSpan;
  #outcome: FetchOutcome | undefined;
  #retries = 0;
  #server: ServerAttributes | undefined;
  #status: number | undefined;
  #lookup: { hits: number; stale: number; misses: number } | undefined;

  constructor(span: TraceSpan) {
    this.#span = span;
  }

  /** What the request to the subgraph sends on. */
  get headers(): TraceHeaders {
    return this.#span.headers;
  }

  /** Starts the span of a refresh, which the operation does not wait for. */
  startRefresh(attributes: SpanAttributes): FetchSpan | undefined {
    const refresh = this.#span.startLinked('subgraph.fetch', attributes);
    return refresh && new FetchSpan(refresh.root);
  }

  /** Items were looked up in the cache. */
  onLookup(hits: number, stale: number, misses: number): void {
    this.#lookup ??= { hits: 0, stale: 0, misses: 0 };
    this.#lookup.hits += hits;
    this.#lookup.stale += stale;
    this.#lookup.misses += misses;
  }

  /** An HTTP request is sent. */
  onSend(origin: string): void {
    this.#raise('sent');
    this.#server = serverAttributesOf(origin);
  }

  /** The data comes from the request of another fetch; `undefined` if that one is not recorded. */
  onJoin(leader: FetchSpan | undefined): void {
    this.#raise('joined');
    if (leader !== undefined && leader !== this) this.#span.addLink(leader.headers);
  }

  onRetry(): void {
    this.#retries += 1;
    this.#raise('retried');
  }

  onHedge(): void {
    this.#raise('hedged');
  }

  /** `undefined` if no response has started. */
  onStatus(status: number | undefined): void {
    this.#status = status;
  }

  /** Stale values are served. */
  onStale(): void {
    this.#raise('stale');
  }

  /** See `TraceSpan.end`. */
  end(errorType?: string): void {
    this.#span.setAttributes({
      // Only the cache answers without a request. What failed without one has no outcome.
      'tributary.outcome': this.#outcome ?? (errorType === undefined ? 'cached' : undefined),
      'server.address': this.#server?.['server.address'],
      'server.port': this.#server?.['server.port'],
      'http.response.status_code': this.#status,
      'http.request.resend_count': this.#retries === 0 ? undefined : this.#retries,
      'tributary.cache.hits': this.#lookup?.hits,
      'tributary.cache.stale': this.#lookup?.stale,
      'tributary.cache.misses': this.#lookup?.misses,
    });
    this.#span.end(errorType);
  }

  #raise(outcome: FetchOutcome): void {
    if (this.#outcome === undefined || outcomes.indexOf(outcome) > outcomes.indexOf(this.#outcome))
      this.#outcome = outcome;
  }
}

interface ServerAttributes {
  readonly 'server.address': string;
  readonly 'server.port': number;
}

/** By origin. There are as many as subgraphs have addresses. */
const serverAttributes = new Map<string, ServerAttributes>();

function serverAttributesOf(origin: string): ServerAttributes {
  let attributes = serverAttributes.get(origin);
  if (attributes === undefined) {
    const { hostname, port, protocol } = new URL(origin);
    const defaultPort = protocol === 'https:' ? 443 : 80;
    attributes = { 'server.address': hostname, 'server.port': port === '' ? defaultPort : Number(port) };
    serverAttributes.set(origin, attributes);
  }
  return attributes;
}
