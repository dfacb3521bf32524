import type { FetchCall } from '../execution/fetchCall.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from '../execution/fetchSender.ts';
import { CachedRequest } from './cachedRequest.ts';
import type { CachePlans } from './cachePlans.ts';
import { type CallUnits, unitsOf } from './cacheUnits.ts';
import type { FetchCache } from './fetchCache.ts';

export interface CachedFetchesOptions {
  /** Asks the subgraphs. */
  readonly next: FetchSender;
  /** Of the supergraph that the fetches are of. */
  readonly plans: CachePlans;
  readonly cache: FetchCache;
}

/** Answers fetches from the cache as far as the rules of a supergraph allow, and asks subgraphs for the rest. */
export class CachedFetches implements FetchSender {
  readonly #options: CachedFetchesOptions;

  constructor(options: CachedFetchesOptions) {
    this.#options = options;
  }

  sendEntities(request: EntityRequest): CancelFetch {
    const calls: CallUnits[] = [];
    const plain: FetchCall[] = [];
    for (const call of request.calls) {
      const units = this.#unitsOf(call);
      if (units === undefined) plain.push(call);
      else calls.push(units);
    }
    const { next, cache } = this.#options;
    if (calls.length === 0) return next.sendEntities(request);
    return new CachedRequest({ cache, next, scope: request.scope, calls, plain, done: request.done }).start();
  }

  sendRoot({ call, done }: RootRequest): CancelFetch {
    const { next, cache } = this.#options;
    const units = this.#unitsOf(call);
    if (units === undefined) return next.sendRoot({ call, done });
    return new CachedRequest({ cache, next, scope: call.scope, calls: [units], plain: [], done }).start();
  }

  #unitsOf(call: FetchCall): CallUnits | undefined {
    const { plans, cache } = this.#options;
    return unitsOf(call, plans, cache.options.ignoredHeaders);
  }
}
