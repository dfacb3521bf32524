import type { FetchCall } from './fetchCall.ts';
import type { RequestContext } from './requestContext.ts';

/** The entity fetches of one operation, subgraph and delivery group that were ready at the same moment. */
export interface EntityRequest {
  readonly calls: readonly FetchCall[];
  readonly requestContext: RequestContext;
  /** Called when every call is settled, perhaps before `sendEntities` returns. Not called after `CancelFetch`. */
  onDone(): void;
}

export interface RootRequest {
  readonly call: FetchCall;
  /** See `EntityRequest.onDone`. */
  onDone(): void;
}

/** Cancels the fetch. Idempotent. */
export type CancelFetch = () => void;

/** Gets the results of fetches from subgraphs, or from a cache in front of them. */
export interface FetchSender {
  /** Changes with each invalidation of cached values: a request from after it must not get a response that began before.
   *  Omitted where nothing is cached. */
  readonly readVersion?: string;
  sendEntities(request: EntityRequest): CancelFetch;
  sendRoot(request: RootRequest): CancelFetch;
}
