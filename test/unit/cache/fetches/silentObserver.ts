import type { CacheObserver } from '../../../../gateway/cache/cacheMetrics.ts';

function ignore(): void {}

/** An observer that ignores all events. */
export const silentObserver: CacheObserver = {
  onLookup: ignore,
  onStored: ignore,
  onNotStored: ignore,
  onRefresh: ignore,
  onStaleServed: ignore,
  onStaleIfError: ignore,
  onStaleIfBudget: ignore,
  onInvalidated: ignore,
};
