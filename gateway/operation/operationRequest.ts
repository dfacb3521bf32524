import type { DocumentNode } from 'graphql';
import type { ClientIdentity } from '../execution/requestContext.ts';
import type { ResponseHeaderMap } from '../execution/responseHeaderCollector.ts';
import type { RequestRecord } from '../telemetry/requestRecord.ts';
import type { RequestTrace } from '../telemetry/trace.ts';
import type { TraceHeaders } from '../telemetry/traceContext.ts';
import type { RequestSignal } from '../time/requestAbort.ts';

/** The incremental delivery format that a client accepts. */
export type IncrementalFormat = 'deferSpec=20220824' | 'incrementalSpec=v0.2';

/** How an operation arrived. `event-stream`: on an event stream of several operations. */
export type RequestTransport = 'http' | 'websocket' | 'event-stream';

/** A client's operation after transport, parsing and validation, before preparation. */
export interface OperationRequest {
  /** Parsed and valid against `supergraph.apiSchema`. */
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  /** As sent by the client. Preparation coerces them. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Headers or connection parameters of the client. Names are in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly caller: ClientIdentity;
  /** `undefined` for a client that accepts only a single complete response. */
  readonly incrementalFormat: IncrementalFormat | undefined;
  /** For a subscription: cursor of the last event that the client received. The subscription resumes after it. */
  readonly resumeAfter?: string | undefined;
  /** Parameters of the client's `connection_init` that may be forwarded to subgraphs. */
  readonly connectionParams?: Readonly<Record<string, unknown>> | undefined;
  /** The payload of the client's `connection_init`; `undefined` for a transport without it. */
  readonly initPayload?: Readonly<Record<string, unknown>> | undefined;
  /** `http` when omitted. */
  readonly transport?: RequestTransport | undefined;
  /** Remote address of the client's connection. */
  readonly clientAddress?: string | undefined;
  /** Headers that the response has with any content. Every stage may add some. Transports without headers ignore them. */
  readonly responseHeaders?: ResponseHeaderMap | undefined;
  readonly requestId: string;
  /** What metrics and logs report about the request; omitted where nothing is recorded. */
  readonly record?: RequestRecord | undefined;
  /** What subgraphs get, where the gateway traces; otherwise that is read from `headers`. */
  readonly traceHeaders?: TraceHeaders | undefined;
  /** `undefined` for a request that is not recorded. */
  readonly trace?: RequestTrace | undefined;
  /** Aborted when the client disconnects. */
  readonly signal: RequestSignal;
}
