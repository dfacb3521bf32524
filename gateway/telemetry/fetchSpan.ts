import { roundMs } from '../time/roundMs.ts';
import { SharedAttributesByNumber } from './sharedAttributes.ts';
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
  #server: Server | undefined;
  #status: number | undefined;
  #lookup: { hits: number; stale: number; misses: number } | undefined;

  constructor(span: TraceSpan) {
    this.#span = span;
  }

  /** Starts the span of a fetch of these entities; 0 for root fields. */
  static start(
    parent: TraceSpan,
    subgraph: string,
    representations: number,
    group: number,
    startedAt?: number,
  ): FetchSpan {
    const attributes = startAttributesOf(subgraph, representations, group);
    return new FetchSpan(parent.startChild('subgraph.fetch', attributes, startedAt));
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

  /** Before it was sent, the fetch has waited for another one to the same subgraph (`batching.maxWait`). */
  onWait(ms: number): void {
    this.#span.setAttributes({ 'tributary.waited_ms': roundMs(ms) });
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
    this.#server = serverOf(origin);
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
  end(errorType = this.#failedStatus(), endedAt?: number): void {
    this.#span.setAttributes(this.#endAttributes(errorType));
    this.#span.end(errorType, endedAt);
  }

  /** A response with data or errors of GraphQL beside such a status is a failed call: by the semantic conventions, its
   *  status is the error. */
  #failedStatus(): string | undefined {
    const status = this.#status;
    if (status === undefined || status < 400 || this.#outcome === 'stale') return undefined;
    return String(status);
  }

  #endAttributes(errorType: string | undefined): SpanAttributes {
    const outcome = this.#outcome;
    const server = this.#server;
    const lookup = this.#lookup;
    // Nearly all fetches end like this.
    if (outcome === 'sent' && server !== undefined && this.#status !== undefined && lookup === undefined)
      return server.sent.of(this.#status);
    return {
      // Only the cache answers without a request. What failed without one has no outcome.
      'tributary.outcome': outcome ?? (errorType === undefined ? 'cached' : undefined),
      'server.address': server?.address,
      'server.port': server?.port,
      'http.response.status_code': this.#status,
      'http.request.resend_count': this.#retries === 0 ? undefined : this.#retries,
      'tributary.cache.hits': lookup?.hits,
      'tributary.cache.stale': lookup?.stale,
      'tributary.cache.misses': lookup?.misses,
    };
  }

  #raise(outcome: FetchOutcome): void {
    if (this.#outcome === undefined || outcomes.indexOf(outcome) > outcomes.indexOf(this.#outcome))
      this.#outcome = outcome;
  }
}

/** By subgraph: of fetches of the first payload, by the number of representations. */
const startAttributes = new Map<string, SharedAttributesByNumber>();

function startAttributesOf(subgraph: string, representations: number, group: number): SpanAttributes {
  if (group !== 0) return createStartAttributes(subgraph, representations, group);
  let known = startAttributes.get(subgraph);
  if (known === undefined) {
    known = new SharedAttributesByNumber((count) => createStartAttributes(subgraph, count, 0));
    startAttributes.set(subgraph, known);
  }
  return known.of(representations);
}

function createStartAttributes(subgraph: string, representations: number, group: number): SpanAttributes {
  return {
    'tributary.subgraph': subgraph,
    'tributary.representations': representations,
    'tributary.group': group,
  };
}

interface Server {
  readonly address: string;
  readonly port: number;
  /** Of fetches that it answered with this status, without anything special. */
  readonly sent: SharedAttributesByNumber;
}

/** By origin. There are as many as subgraphs have addresses. */
const servers = new Map<string, Server>();

function serverOf(origin: string): Server {
  let server = servers.get(origin);
  if (server === undefined) {
    const { hostname: address, port: explicitPort, protocol } = new URL(origin);
    const defaultPort = protocol === 'https:' ? 443 : 80;
    const port = explicitPort === '' ? defaultPort : Number(explicitPort);
    const sent = new SharedAttributesByNumber((status) => ({
      'tributary.outcome': 'sent',
      'server.address': address,
      'server.port': port,
      'http.response.status_code': status,
    }));
    server = { address, port, sent };
    servers.set(origin, server);
  }
  return server;
}
