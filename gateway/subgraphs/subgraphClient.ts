import type { GatewayError } from '../errors.ts';
import type { FetchSpan } from '../telemetry/fetchSpan.ts';
import type { TraceHeaders } from '../telemetry/traceContext.ts';
import type { ForwardedHeaders } from './forwardedHeaders.ts';
import type { CallPriority, RaisablePriority, RequestPriority } from './policies/callPriority.ts';

/** What a request fetches: for each response name at its root, the root field (`Query.products`) or the entity types
 *  (`Product`). */
export type RequestCoordinates = ReadonlyMap<string, readonly string[]>;

export interface SubgraphRequest {
  readonly subgraph: string;
  /** The whole request body: JSON text with `query`, `variables` and perhaps `operationName`. */
  readonly body: string;
  readonly kind: 'query' | 'mutation';
  /** The number of representations in the body; omitted for a request without `_entities`. */
  readonly representations?: number | undefined;
  readonly headers: ForwardedHeaders;
  /** See `RequestContext.sharingKey`. */
  readonly sharingKey: string;
  /** See `CircuitBreakers`; omitted for requests that count for the whole subgraph only. */
  readonly coordinates?: RequestCoordinates | undefined;
  /** `false` if decimals of the response may become JavaScript numbers: it has no fields of custom scalars. */
  readonly keepsDecimals?: boolean | undefined;
  /** The `accept` header; a GraphQL response when omitted. Requests with an `accept` of their own share no call. */
  readonly accept?: string | undefined;
  /** No first response waits for the call. Deferred calls have connections of their own: a slow deferred field must not
   *  take those that first responses need. */
  readonly isDeferred: boolean;
  /** Which call goes first where a subgraph is short of capacity: by `priority`, then by `requestPriority` (`normal` when
   *  omitted), then by `earliestDeadline`. */
  readonly priority: CallPriority;
  /** Raise `priority` while the call is queued; omitted where no other request can join. */
  readonly raisablePriorities?: readonly RaisablePriority[] | undefined;
  readonly requestPriority?: RequestPriority | undefined;
  /** Sent as `x-request-id`; not part of what makes two calls equal. */
  readonly requestId: string;
  /** Sent as they are; not part of what makes two calls equal. */
  readonly traceHeaders?: TraceHeaders;
  /** The span of the fetch, whose headers are sent instead of `traceHeaders`. */
  readonly span?: FetchSpan | undefined;
  /** When the call must have ended: milliseconds on `performance.now()`'s clock. */
  readonly deadline: number;
  /** The earliest deadline of the fetches in this request; `deadline` when omitted. */
  readonly earliestDeadline?: number | undefined;
}

/** A subgraph's response, parsed for this receiver alone, which may write into it. */
export interface SubgraphResponse {
  /** `undefined` if the response has no `data`. Objects come from JSON.parse. */
  readonly data: Record<string, unknown> | null | undefined;
  readonly errors: readonly SubgraphErrorEntry[] | undefined;
  readonly extensions: Record<string, unknown> | undefined;
  /** The HTTP status, if it is outside 2xx. */
  readonly failureStatus?: number;
  /** The response header. */
  readonly cacheControl: string | undefined;
  /** The response header. */
  readonly age: string | undefined;
  /** The response headers that are sent to the client (`headers.respond`): name, value, name, value …. `undefined` for
   *  none. */
  readonly clientHeaders?: readonly string[] | undefined;
  /** No string in the body contains a backslash escape: strings can be written to JSON as they are. */
  readonly isEscapeFree: boolean;
}

export interface SubgraphErrorEntry {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: Record<string, unknown>;
  /** A GraphQL request error: the operation, or the value of a variable, is invalid. It has locations and no path. */
  readonly isRequestError?: true;
  /** HTTP status of the response that has the error, if it is outside 2xx. */
  readonly failureStatus?: number;
}

/** Called exactly once, unless its request was cancelled. A callback instead of a promise: a promise that lives as long
 *  as the request would keep the parsed response in memory. */
export interface SubgraphReceiver {
  onResponse(response: SubgraphResponse): void;
  onError(error: GatewayError): void;
}

/** Stops waiting. The call itself ends only when no other request waits for it. Idempotent. */
export type CancelSubgraphCall = () => void;

/** Sends one request to a subgraph. The receiver is never called before this has returned. */
export type Send = (request: SubgraphRequest, receiver: SubgraphReceiver) => CancelSubgraphCall;

/** Decorates `Send`: sees every request before it is sent and every response before its receiver does. */
export type SendPolicy = (next: Send) => Send;

export interface SubgraphClient {
  readonly send: Send;
  close(): Promise<void>;
}
