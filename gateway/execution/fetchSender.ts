import type { FetchCall } from './fetchCall.ts';
import type { RequestContext } from './requestContext.ts';

/** Entity fetches of one operation, of one subgraph and delivery group, that were ready at the same moment. */
export interface EntityRequest {
  readonly calls: readonly FetchCall[];
  readonly requestContext: RequestContext;
  /** Called after every call was settled, perhaps before the request has been taken; not called any more once it was
   *  cancelled. */
  onDone(): void;
}

export interface RootRequest {
  readonly call: FetchCall;
  /** As with entities. */
  onDone(): void;
}

/** Stops waiting; idempotent. */
export type CancelFetch = () => void;

/** Gets what fetches ask for: from subgraphs, or from where it was kept. */
export interface FetchSender {
  sendEntities(request: EntityRequest): CancelFetch;
  sendRoot(request: RootRequest): CancelFetch;
}
