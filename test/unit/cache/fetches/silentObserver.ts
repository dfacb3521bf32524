import type { CacheObserver } from '../../../../gateway/cache/cacheObserver.ts';

function ignore(): void {}

/** Nobody counts. */
export const silentObserver: CacheObserver = {
  onLookup: ignore,
  onStored: ignore,
  onNotStored: ignore,
  onRefresh: ignore,
  onStaleIfError: ignore,
  onStaleIfBudget: ignore,
  onInvalidated: ignore,
};
