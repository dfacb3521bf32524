import { createCountdownLatch } from '../../execution/countdownLatch.ts';
import type { FetchCall } from '../../execution/fetchCall.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from '../../execution/fetchSender.ts';
import type { RequestContext } from '../../execution/requestContext.ts';
import { CachedRequest } from './cachedRequest.ts';
import type { CachePlans } from './cachePlans.ts';
import type { FetchCache } from './fetchCache.ts';
import { keysOfPlainCalls, resultsOfFreshEntries, settleFreshHits } from './freshHits.ts';
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
    if (calls.length === 0) return this.#options.next.sendEntities(request);
    return this.#answer(request.requestContext, calls, uncacheableCalls, request.onDone);
  }

  sendRoot({ call, onDone }: RootRequest): CancelFetch {
    const itemizedCall = this.#itemize(call);
    if (itemizedCall === undefined) return this.#options.next.sendRoot({ call, onDone });
    return this.#answer(call.requestContext, [itemizedCall], [], onDone);
  }

  #answer(
    requestContext: RequestContext,
    calls: readonly ItemizedCall[],
    uncacheableCalls: readonly FetchCall[],
    onDone: () => void,
  ): CancelFetch {
    const { next, cache } = this.#options;
    const keys = uncacheableCalls.length === 0 ? keysOfPlainCalls(calls) : undefined;
    const entries = keys && cache.store.getMany(keys);
    if (entries !== undefined && !(entries instanceof Promise)) {
      const results = resultsOfFreshEntries(cache, calls, entries);
      if (results !== undefined) {
        settleFreshHits(cache, calls, results, createCountdownLatch(calls.length, onDone));
        return noop;
      }
    }
    for (const { call } of calls) if (call.budget !== undefined) call.budget.mayServeStale = true;
    return new CachedRequest({ cache, next, requestContext, calls, uncacheableCalls, onDone }).start(entries);
  }

  #itemize(call: FetchCall): ItemizedCall | undefined {
    const { plans, cache } = this.#options;
    return itemizeCall(call, plans, cache.options);
  }
}

/** A settled call cannot be cancelled. */
function noop(): void {}
