import { createCountdownLatch } from '../../execution/countdownLatch.ts';
import type { FetchCall } from '../../execution/fetchCall.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from '../../execution/fetchSender.ts';
import type { RequestContext } from '../../execution/requestContext.ts';
import { CachedRequest } from './cachedRequest.ts';
import type { CachePlans } from './cachePlans.ts';
import type { FetchCache } from './fetchCache.ts';
import { plainLookupOf, resultsOfFreshEntries, settleFreshHits } from './freshHits.ts';
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
    const { requestContext, calls, onDone } = request;
    return this.#send(requestContext, calls, onDone, () => this.#options.next.sendEntities(request));
  }

  sendRoot(request: RootRequest): CancelFetch {
    const { call, onDone } = request;
    return this.#send(call.requestContext, [call], onDone, () => this.#options.next.sendRoot(request));
  }

  /** `sendUncached` sends the calls if none of their items is cacheable. */
  #send(
    requestContext: RequestContext,
    calls: readonly FetchCall[],
    onDone: () => void,
    sendUncached: () => CancelFetch,
  ): CancelFetch {
    const { cache, next, plans } = this.#options;
    const lookup = plainLookupOf(calls, plans, cache);
    const entries = lookup && cache.store.getMany(lookup.keys);
    if (lookup !== undefined && entries !== undefined && !(entries instanceof Promise)) {
      const results = resultsOfFreshEntries(cache, lookup, entries, plans);
      if (results !== undefined) {
        settleFreshHits(cache, lookup, results, createCountdownLatch(calls.length, onDone));
        return noop;
      }
    }
    const itemizedCalls: ItemizedCall[] = [];
    const uncacheableCalls: FetchCall[] = [];
    for (const call of calls) {
      const itemizedCall = itemizeCall(call, plans, cache.options);
      if (itemizedCall === undefined) uncacheableCalls.push(call);
      else itemizedCalls.push(itemizedCall);
    }
    if (itemizedCalls.length === 0) return sendUncached();
    for (const { call } of itemizedCalls) if (call.budget !== undefined) call.budget.mayServeStale = true;
    return new CachedRequest({
      cache,
      next,
      requestContext,
      calls: itemizedCalls,
      uncacheableCalls,
      onDone,
    }).start(entries);
  }
}

/** A settled call cannot be cancelled. */
function noop(): void {}
