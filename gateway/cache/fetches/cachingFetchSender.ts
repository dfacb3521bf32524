import type { FetchCall } from '../../execution/fetchCall.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from '../../execution/fetchSender.ts';
import { CachedRequest } from './cachedRequest.ts';
import type { CachePlans } from './cachePlans.ts';
import type { FetchCache } from './fetchCache.ts';
import { type ItemizedCall, itemizeCall } from './itemizedCall.ts';

interface CachingFetchSenderOptions {
  /** Asks the subgraphs. */
  readonly next: FetchSender;
  /** Of the supergraph that the fetches are of. */
  readonly plans: CachePlans;
  readonly cache: FetchCache;
}

/** Answers fetches from the cache as far as the rules of a supergraph allow, and asks subgraphs for the rest. */
export class CachingFetchSender implements FetchSender {
  readonly #options: CachingFetchSenderOptions;

  constructor(options: CachingFetchSenderOptions) {
    this.#options = options;
  }

  sendEntities(request: EntityRequest): CancelFetch {
    const calls: ItemizedCall[] = [];
    const plain: FetchCall[] = [];
    for (const call of request.calls) {
      const units = this.#itemize(call);
      if (units === undefined) plain.push(call);
      else calls.push(units);
    }
    const { next, cache } = this.#options;
    if (calls.length === 0) return next.sendEntities(request);
    return new CachedRequest({
      cache,
      next,
      scope: request.requestContext,
      calls,
      uncacheableCalls: plain,
      done: request.onDone,
    }).start();
  }

  sendRoot({ call, onDone }: RootRequest): CancelFetch {
    const { next, cache } = this.#options;
    const units = this.#itemize(call);
    if (units === undefined) return next.sendRoot({ call, onDone });
    return new CachedRequest({
      cache,
      next,
      scope: call.requestContext,
      calls: [units],
      uncacheableCalls: [],
      done: onDone,
    }).start();
  }

  #itemize(call: FetchCall): ItemizedCall | undefined {
    const { plans, cache } = this.#options;
    return itemizeCall(call, plans, cache.options.ignoredHeaders);
  }
}
