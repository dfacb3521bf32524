import type { FetchCall } from '../../execution/fetchCall.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from '../../execution/fetchSender.ts';
import { CachedRequest } from './cachedRequest.ts';
import type { CachePlans } from './cachePlans.ts';
import type { FetchCache } from './fetchCache.ts';
import { type ItemizedCall, itemizeCall } from './itemizedCall.ts';

interface CachingFetchSenderOptions {
  /** Sends fetches to the subgraphs. */
  readonly next: FetchSender;
  /** The plans of the supergraph that the fetches belong to. */
  readonly plans: CachePlans;
  readonly cache: FetchCache;
}

/** Answers fetches from the cache as far as the cache rules of a supergraph allow, and sends the remaining items to
 *  the subgraphs. */
export class CachingFetchSender implements FetchSender {
  readonly #options: CachingFetchSenderOptions;

  constructor(options: CachingFetchSenderOptions) {
    this.#options = options;
  }

  sendEntities(request: EntityRequest): CancelFetch {
    const calls: ItemizedCall[] = [];
    const uncacheableCalls: FetchCall[] = [];
    for (const call of request.calls) {
      const itemizedCall = this.#itemize(call);
      if (itemizedCall === undefined) uncacheableCalls.push(call);
      else calls.push(itemizedCall);
    }
    const { next, cache } = this.#options;
    if (calls.length === 0) return next.sendEntities(request);
    const { requestContext, onDone } = request;
    return new CachedRequest({ cache, next, requestContext, calls, uncacheableCalls, onDone }).start();
  }

  sendRoot({ call, onDone }: RootRequest): CancelFetch {
    const { next, cache } = this.#options;
    const itemizedCall = this.#itemize(call);
    if (itemizedCall === undefined) return next.sendRoot({ call, onDone });
    const { requestContext } = call;
    const calls = [itemizedCall];
    return new CachedRequest({ cache, next, requestContext, calls, uncacheableCalls: [], onDone }).start();
  }

  #itemize(call: FetchCall): ItemizedCall | undefined {
    const { plans, cache } = this.#options;
    return itemizeCall(call, plans, cache.options);
  }
}
