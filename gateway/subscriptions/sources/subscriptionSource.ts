import type { GatewayError } from '../../errors.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import type { ForwardedHeaders } from '../../subgraphs/forwardedHeaders.ts';
import type { SubgraphErrorEntry } from '../../subgraphs/subgraphClient.ts';
import type { SubgraphEndpoint } from '../../subgraphs/subgraphPools.ts';
import type { TraceHeaders } from '../../telemetry/traceContext.ts';
import type { Timers } from '../../time/timers.ts';

/** A request to subscribe to a subgraph. */
export interface SourceRequest {
  readonly subgraph: string;
  /** The operation's text for this subgraph. */
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** The client's headers for the subgraph. Over a WebSocket they are sent in the handshake, and in the payload of
   *  `connection_init`. */
  readonly headers: ForwardedHeaders;
  /** The client's allow-listed connection parameters, for `connection_init`. */
  readonly connectionParams: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  readonly traceHeaders: TraceHeaders;
  /** The client's operation for the current supergraph. `query` is the subgraph's part of it. Later calls may return another
   *  one with the same `query`. */
  currentOperation?(): PreparedOperation;
  /** The cursor of the last event that the client received. The source first replays all events after it. */
  readonly resumeAfter?: string | undefined;
}

/** One event. The object belongs to this receiver alone. */
export interface SourceEvent {
  readonly data: Record<string, unknown> | null | undefined;
  readonly errors: readonly SubgraphErrorEntry[] | undefined;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
  /** Approximate bytes of the event as received. Counts towards `subscriptions.queue.size`. */
  readonly size: number;
  /** With this cursor, a client can later resume after the event. */
  readonly cursor?: string | undefined;
  /** Set if this is a notice instead of an event, such as that events may be missing. Clients get this error. */
  readonly failure?: GatewayError | undefined;
  /** How the event is completed for an operation, if that depends on the fields of the event. */
  completionFor?(operation: PreparedOperation): EventCompletion;
  /** Called when the clients have read all payloads of the event. A source that waits for it sends no faster than the
   *  clients read. */
  onConsumed?(): void;
}

/** An operation, and an event that is the result of its first step. */
export interface EventCompletion {
  readonly operation: PreparedOperation;
  readonly event: {
    readonly data: SourceEvent['data'];
    readonly errors: readonly (SubgraphErrorEntry | GatewayError)[] | undefined;
  };
}

/** Receives the events of a subscription. No method is called before `subscribe` has returned, after an end or after
 *  `cancel`. */
export interface SourceReceiver {
  onEvent(event: SourceEvent): void;
  /** Of a source with cursors, after `resumeAfter` or `FlowControl.resume`: all past events were replayed. From now on this
   *  receiver gets the same events as equal requests, at the same time. */
  onCaughtUp?(): void;
  /** The connection was lost, and the source reconnects. Events may be missing from here on. */
  onInterrupted(cause: GatewayError): void;
  /** The subgraph accepted the subscription again after `onInterrupted`. Events since then may be missing. */
  onResubscribed?(): void;
  /** The subgraph completed the subscription. */
  onComplete(): void;
  /** The subscription was refused, failed, or could not be reconnected. */
  onError(error: GatewayError): void;
}

/** Pauses a source, so that events wait at the source instead of in this process. Methods are idempotent. */
export interface FlowControl {
  /** Stops reading. Events in flight may still arrive. */
  pause(): void;
  resume(): void;
  /** Whether the subgraph waits for a response to each event, which a pause delays. */
  readonly acknowledgesEvents?: boolean | undefined;
}

/** A running subscription. */
export interface SourceSubscription {
  /** Ends the subscription, also at the subgraph. Idempotent. */
  cancel(): void;
  /** `undefined` if the source cannot be paused. */
  readonly flowControl?: FlowControl | undefined;
  /** Whether the receiver gets every event from now on, without waiting for a subgraph to accept the subscription. */
  readonly startsImmediately?: boolean | undefined;
  /** Called when `SourceRequest.currentOperation` has changed, so that the next event does not wait for what the source
   *  derives from it. */
  onOperationChanged?(): void;
}

/** Subscribes to subgraphs with one protocol, or to topics. */
export interface SubscriptionSource {
  /** Returns the reason to refuse a request, before it is started. */
  validate?(request: SourceRequest): GatewayError | undefined;
  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription;
  /** Ends all subscriptions without notifying their receivers. */
  close(): Promise<void>;
}

/** How to subscribe to a subgraph. */
export interface SourceEndpoint {
  /** Absolute, with `http:` or `https:`, including the path for subscriptions. WebSockets use the same URL with `ws:` or
   *  `wss:`. */
  readonly url: string;
  /** The first address of a subgraph with several; `url` may be any of them. */
  readonly firstUrl?: string | undefined;
  /** Maximum time until the subgraph accepts the subscription, including connecting. */
  readonly connectTimeoutMs: number;
  /** Maximum bytes of an event, after decompression. */
  readonly maxEventBytes: number;
  /** Interval of heartbeats that are sent or expected; 0 for none. */
  readonly heartbeatMs: number;
  readonly reconnect: {
    /** Maximum attempts in a row after a lost connection; 0 for none. */
    readonly attempts: number;
    readonly minDelayMs: number;
    readonly maxDelayMs: number;
  };
  /** Use HTTP/2 if the server offers it over TLS, so that many streams share a connection. Ignored for WebSockets. */
  readonly http2?: boolean | undefined;
  /** Trusted authorities and a client certificate. Node's defaults when omitted. */
  readonly tls?: SubgraphEndpoint['tls'];
  readonly signing?: SubgraphEndpoint['signing'];
}

/** The options that all protocols have. */
export interface SourceOptions {
  /** Called for each subscription and reconnection, because a new supergraph can change the URL of a subgraph.
   *  Throws if the subgraph does not exist. */
  endpoint(subgraph: string): SourceEndpoint;
  /** Real time when omitted. */
  readonly timers?: Timers | undefined;
  /** From 0 to 1, for the jitter of reconnection delays. `Math.random` when omitted. */
  readonly random?: (() => number) | undefined;
  /** Called when the subgraph accepted a connection or began a stream, which shows that it supports the protocol. */
  readonly onAccepted?: ((subgraph: string) => void) | undefined;
}
