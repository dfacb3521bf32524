import type { GatewayError } from '../../errors.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import type { ForwardedHeaders } from '../../subgraphs/forwardedHeaders.ts';
import type { SubgraphErrorEntry } from '../../subgraphs/subgraphClient.ts';
import type { SubgraphEndpoint } from '../../subgraphs/subgraphPools.ts';
import type { Timers } from '../../time/timers.ts';

/** A subscription at a subgraph. */
export interface SourceRequest {
  readonly subgraph: string;
  /** The operation's text for this subgraph. */
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** The client's headers that travel to the subgraph. Over a WebSocket they go with the handshake, and into the
   *  payload of `connection_init`. */
  readonly headers: ForwardedHeaders;
  /** Allow-listed values of the client's own connection parameters, for `connection_init`; empty for none. */
  readonly connectionParams: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  readonly traceparent: string | undefined;
  /** What the client asks for; `query` is the subgraph's part of it. */
  readonly operation?: PreparedOperation | undefined;
  /** Cursor of the last event that the client has got: all that came after it are wanted. */
  readonly resumeAfter?: string | undefined;
}

/** One event, parsed for this receiver alone. */
export interface SourceEvent {
  readonly data: Record<string, unknown> | null | undefined;
  readonly errors: readonly SubgraphErrorEntry[] | undefined;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
  /** Bytes of the event as it came, about: what is bounded while it waits. */
  readonly size: number;
  /** A client that has got the event may later ask for those after it. */
  readonly cursor?: string | undefined;
  /** There is no event, and clients are told why in its place, as where events may be missing. */
  readonly failure?: GatewayError | undefined;
  /** How the event is completed for an operation, where that depends on what the event has. */
  completionFor?(operation: PreparedOperation): EventCompletion;
  /** Called when the clients have taken all that came of the event. A source that waits for it sends no faster than
   *  they take. */
  onConsumed?(): void;
}

/** An operation of which an event answers the first step. */
export interface EventCompletion {
  readonly operation: PreparedOperation;
  readonly event: {
    readonly data: SourceEvent['data'];
    readonly errors: readonly (SubgraphErrorEntry | GatewayError)[] | undefined;
  };
}

/** Nothing is called before `subscribe` has returned, nor after an end, nor after a cancel. */
export interface SourceReceiver {
  onEvent(event: SourceEvent): void;
  /** After a request to resume, or a flow that was resumed: there are no past events any more. From now on it gets what
   *  equal requests get, at the same time. */
  onCaughtUp?(): void;
  /** The connection was lost and is being made again: events may be missing from here on. */
  onInterrupted(cause: GatewayError): void;
  /** Subscribed again after `onInterrupted`. */
  onResumed(): void;
  /** The subgraph has no more events. */
  onComplete(): void;
  /** It is over: refused, failed, or not to be had again. */
  onError(error: GatewayError): void;
}

/** Where events come from, so that they wait there and not here. Both are idempotent. */
export interface FlowControl {
  /** Nothing is read any more, besides what is on its way already. */
  pause(): void;
  resume(): void;
  /** What came while it was paused then comes first, until `onCaughtUp`. */
  readonly replaysOnResume?: boolean | undefined;
}

/** A subscription under way. */
export interface SourceSubscription {
  /** Ends it at the subgraph, if it is still there. Idempotent. */
  cancel(): void;
  /** `undefined` where the source cannot be stopped. */
  readonly flowControl?: FlowControl | undefined;
  /** Whoever has it misses nothing that comes from now on: no subgraph has to be asked first. */
  readonly startsImmediately?: boolean | undefined;
}

/** Subscribes at subgraphs, by one protocol. */
export interface SubscriptionSource {
  /** Why a request is not taken, before anything is begun for it. */
  validate?(request: SourceRequest): GatewayError | undefined;
  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription;
  /** Ends everything; receivers are told nothing more. */
  close(): Promise<void>;
}

/** What is known of how to subscribe at a subgraph. */
export interface SourceEndpoint {
  /** Absolute; `http:`, `https:`. WebSocketRegistry take the same host with `ws:` or `wss:`. The path of subscriptions is in
   *  it already. */
  readonly url: string;
  /** Longest that connecting, and the first answer, may take; milliseconds. */
  readonly connectTimeoutMs: number;
  /** Largest event, in bytes after decompression. */
  readonly maxEventBytes: number;
  /** Milliseconds between signs of life that are sent or expected; 0 for none. */
  readonly heartbeatMs: number;
  readonly reconnect: {
    /** Attempts in a row after a lost connection; 0 for none. */
    readonly attempts: number;
    readonly minDelayMs: number;
    readonly maxDelayMs: number;
  };
  /** Speak HTTP/2 where the server offers it over TLS: many streams then share a connection. Not for WebSocketRegistry. */
  readonly http2?: boolean | undefined;
  /** Trusted authorities and the client's own certificate; Node's defaults when omitted. */
  readonly tls?: SubgraphEndpoint['tls'];
}

/** What every protocol's source is made with. */
export interface SourceOptions {
  /** Asked for every subscription, and for every attempt to get one back: with a new supergraph a subgraph may be
   *  elsewhere. */
  endpoint(subgraph: string): SourceEndpoint;
  /** Real time when omitted. */
  readonly timers?: Timers | undefined;
  /** From 0 to 1, for the delays between attempts; `Math.random` when omitted. */
  readonly random?: (() => number) | undefined;
  /** The subgraph speaks this protocol: it accepted a connection, or began a stream of events. */
  readonly onAccepted?: ((subgraph: string) => void) | undefined;
}
