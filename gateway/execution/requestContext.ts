import type { OverrideDecision } from '../operation/overrideDecision.ts';
import type { ForwardedHeaders } from '../subgraphs/forwardedHeaders.ts';
import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';
import type { RequestRecord } from '../telemetry/requestRecord.ts';
import type { RequestTrace } from '../telemetry/trace.ts';
import type { TraceHeaders } from '../telemetry/traceContext.ts';
import type { ResponseHeaderCollector } from './responseHeaderCollector.ts';

/** What a verified token states about its bearer, by claim (RFC 7519, section 4). */
export type Claims = Readonly<Record<string, unknown>>;

/** Who sent a request. */
export interface ClientIdentity {
  /** `undefined` for a request without a valid token. */
  readonly claims?: Claims | undefined;
  /** When the token expires, in milliseconds since 1970; `undefined` for a request without a token, or a token that does
   *  not expire. */
  readonly expiresAt?: number | undefined;
  /** Whose private values the request may read; `undefined` for an anonymous request. */
  readonly identity: string | undefined;
  /** Who may fetch the enrichments that the request leaves behind: its identity, or else its token or `authorization`
   *  header, which subgraphs may have answered privately. `undefined` for an anonymous request: everyone with the token may. */
  readonly tokenOwner: string | undefined;
  /** Equal for requests that count as one client for limits: by identity, otherwise by the address of the connection,
   *  which is the same for all clients behind a proxy. */
  readonly clientKey: string;
}

/** What a client prefers by its `tributary-*` headers, within what it may. */
export interface ClientPreferences {
  /** `tributary-budget`, in milliseconds: how long the first response waits for enrichments. */
  readonly budgetMs?: number | undefined;
  /** How urgent the request is where the gateway or a subgraph is short of capacity, by `overload.priorities` and the
   *  header `tributary-priority`; `normal` when omitted. */
  readonly priority?: RequestPriority | undefined;
  /** `tributary-defer: auto`: the client accepts enrichments as incremental payloads without having used `@defer`. */
  readonly isAutoDefer: boolean;
}

/** One request of a client, as all stages after admission see it: who sent it, what the client prefers, its deadlines and
 *  what it sends to subgraphs. Made once, at admission (`RequestContextFactory`). Later stages read this object, never
 *  the headers. */
export interface RequestContext extends ClientIdentity {
  readonly requestId: string;
  readonly traceHeaders: TraceHeaders;
  /** See `OperationRequest.record`. */
  readonly record?: RequestRecord | undefined;
  /** `undefined` for a request that is not recorded. */
  readonly trace?: RequestTrace | undefined;
  /** The client's values of the operation's variables, as received. */
  readonly variables: Readonly<Record<string, unknown>>;
  readonly preferences: ClientPreferences;
  /** Which progressive `@override`s apply to the request. */
  readonly isOverridden: OverrideDecision;
  /** Partitions shared work: requests with different sharing keys share no subgraph call and no batch, even if all else
   *  is equal. Empty for most requests. */
  readonly sharingKey: string;
  /** Takes the headers of subgraph responses that the client gets, and partitions the calls to subgraphs whose cookies are
   *  sent to clients; omitted where no header of any subgraph is. */
  readonly responseHeaderCollector?: ResponseHeaderCollector | undefined;
  /** A mutation, or the event or field that its response contains: what it reads must be as new as the mutation. */
  readonly isMutation: boolean;
  /** When the whole request must have ended: milliseconds on `performance.now()`'s clock. */
  readonly deadline: number;
  /** When a call to this subgraph must have ended, on the same clock. */
  deadlineFor(subgraph: string): number;
  headersFor(subgraph: string): ForwardedHeaders;
  /** The headers for subgraphs cannot be read from the client's headers again: jobs store them. */
  readonly hasComputedHeaders?: boolean | undefined;
}

/** The context of a mutation, which shares nothing with other requests: what its response reads must not come from a
 *  query that was sent before the mutation. */
export function isolateRequestContext(context: RequestContext): RequestContext {
  return partitionRequestContext({ ...context, isMutation: true }, `isolated ${++isolatedContexts}`);
}

/** The same request, but it shares work only with requests of the same partition. `partition` contains no `/`. */
export function partitionRequestContext(context: RequestContext, partition: string): RequestContext {
  return { ...context, sharingKey: `${partition}/${context.sharingKey}` };
}

/** The key that partitions the calls of a request to one subgraph; empty if they may be shared. */
export function sharingKeyFor(
  { sharingKey, responseHeaderCollector }: RequestContext,
  subgraph: string,
): string {
  return responseHeaderCollector === undefined
    ? sharingKey
    : responseHeaderCollector.partitionOf(subgraph) + sharingKey;
}

let isolatedContexts = 0;
