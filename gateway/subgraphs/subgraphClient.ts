import type { GatewayError } from '../errors.ts';
import type { CallPriority, RequestPriority } from './callPriority.ts';
import type { RaisablePriority } from './raisablePriority.ts';

/** The client's headers that travel to one subgraph, after the allow-list. */
export interface ForwardedHeaders {
  /** Equal for two requests exactly if every allow-listed header is equal. Part of the key of anything shared. */
  readonly key: string;
  /** Name, value, name, value … in lower case names. */
  readonly pairs: readonly string[];
}

export interface SubgraphRequest {
  readonly subgraph: string;
  /** The whole request body: JSON text with `query`, `variables` and perhaps `operationName`. */
  readonly body: string;
  readonly kind: 'query' | 'mutation';
  readonly headers: ForwardedHeaders;
  /** What is asked for by `accept`; a GraphQL answer when omitted. Not part of a sharing key: such calls share none. */
  readonly accept?: string | undefined;
  /** The client has the rest of its answer already, or does not wait for this to get it. Such calls have
   *  connections of their own: a slow deferred field must not take those that first payloads need. */
  readonly isDeferred: boolean;
  /** Where a subgraph is short of capacity: what of its request the call is, then how urgent the request is (`normal`
   *  when omitted), then when it is needed. */
  readonly priority: CallPriority;
  /** By which `priority` may become more urgent while the call waits; left out where nobody else can. */
  readonly raisablePriorities?: readonly RaisablePriority[] | undefined;
  readonly requestPriority?: RequestPriority | undefined;
  /** Sent on as `x-request-id` and, where the client had one, `traceparent`; never part of a sharing key. */
  readonly requestId: string;
  readonly traceparent?: string | undefined;
  /** When the whole request must be over: milliseconds on `performance.now()`'s clock. */
  readonly deadline: number;
  /** When the one who has the least time needs it; `deadline` when omitted. */
  readonly earliestDeadline?: number | undefined;
}

/** A subgraph's answer, parsed for this receiver alone: it may write into it. */
export interface SubgraphResponse {
  /** `undefined` where the answer has no `data`. Objects come from JSON.parse. */
  readonly data: Record<string, unknown> | null | undefined;
  readonly errors: readonly SubgraphErrorEntry[] | undefined;
  readonly extensions: Record<string, unknown> | undefined;
  /** Of HTTP, where it is none of success. */
  readonly failureStatus?: number;
  /** Values of the headers of that name. */
  readonly cacheControl: string | undefined;
  readonly age: string | undefined;
  /** No string in the whole body contains a backslash escape: its strings may be written to JSON as they are. */
  readonly isEscapeFree: boolean;
}

export interface SubgraphErrorEntry {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: Record<string, unknown>;
}

/** Called exactly once, unless the receiver cancelled. The answer is handed over by a call and not by a
 *  promise: a promise that lived as long as the request would keep the parsed answer alive. */
export interface SubgraphReceiver {
  onResponse(response: SubgraphResponse): void;
  onError(error: GatewayError): void;
}

/** Stops waiting. The call itself is ended only when nobody else waits for it. Idempotent. */
export type CancelSubgraphCall = () => void;

export interface SubgraphClient {
  send(request: SubgraphRequest, receiver: SubgraphReceiver): CancelSubgraphCall;
  close(): Promise<void>;
}
