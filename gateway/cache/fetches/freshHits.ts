import type { CachedContribution } from '../../execution/cachingContribution.ts';
import type { FetchResult } from '../../execution/fetchCall.ts';
import type { CacheEntry, CacheResults } from '../store/cacheStore.ts';
import type { FetchCache } from './fetchCache.ts';
import type { CacheableItem, ItemizedCall } from './itemizedCall.ts';
import { mergeContributions } from './resolution.ts';

/** More items are resolved by a `CachedRequest`, which pauses. */
const maxItems = 200;

/** The keys of calls whose items are all public and all cacheable; `undefined` for other calls. */
export function keysOfPlainCalls(calls: readonly ItemizedCall[]): readonly string[] | undefined {
  const keys: string[] = [];
  for (const { items } of calls) {
    if (keys.length + items.length > maxItems) return undefined;
    for (const item of items) {
      if (item === undefined || item.privateKey !== undefined) return undefined;
      keys.push(item.key);
    }
  }
  return keys;
}

/** The results of calls whose entries are all fresh: one for each call; `undefined` if an entry is missing, stale or
 *  damaged. The fast path of `CachedRequest` for what a warm cache answers: nothing is fetched, refreshed or awaited.
 *  `bench/cached.ts` measures it.
 *
 *  `entries`: those of `keysOfPlainCalls`. */
export function resultsOfFreshEntries(
  cache: FetchCache,
  calls: readonly ItemizedCall[],
  entries: CacheResults,
): readonly FetchResult[] | undefined {
  const { headerNames, now } = cache.options;
  const nowMs = now();
  const results: FetchResult[] = [];
  let next = 0;
  for (const { call, items, assemble } of calls) {
    let text = '';
    const contributions: CachedContribution[] = [];
    for (const item of items) {
      const entry = entries[next++];
      const freshUntil = entry === undefined ? 0 : freshUntilOf(item as CacheableItem, entry);
      if (entry === undefined || nowMs >= freshUntil) return undefined;
      const { rule } = (item as CacheableItem).plan;
      text += text === '' ? entry.value : `,${entry.value}`;
      contributions.push({
        kind: 'cached',
        scope: rule.scope,
        ageMs: Math.max(0, nowMs - entry.storedAt),
        freshForMs: freshUntil - nowMs,
        headers: headerNames(call.shape.subgraph, rule.scope),
      });
    }
    const values = parseValues(text);
    if (values === undefined) return undefined;
    results.push({
      kind: 'answered',
      data: assemble(values),
      errors: [],
      isEscapeFree: !text.includes('\\'),
      metadata: undefined,
      caching: contributions.length === 1 ? contributions[0] : mergeContributions(contributions),
      stale: undefined,
    });
  }
  return results;
}

/** Settles the calls with their results, and counts the hits. */
export function settleFreshHits(
  { options }: FetchCache,
  calls: readonly ItemizedCall[],
  results: readonly FetchResult[],
  onCallDone: () => void,
): void {
  for (const { call, items } of calls) {
    for (const item of items) item?.plan.usage.onLookup('hits');
    call.span?.onLookup(items.length, 0, 0);
    options.observer.onLookup({
      subgraph: call.shape.subgraph,
      type: items[0]?.type ?? '',
      hits: items.length,
      stale: 0,
      misses: 0,
      durationMs: 0,
    });
  }
  for (const [index, { call }] of calls.entries()) call.settle(results[index] as FetchResult, onCallDone);
}

/** As `selectEntry` limits it. */
function freshUntilOf({ plan: { rule } }: CacheableItem, { freshUntil, storedAt }: CacheEntry): number {
  return Math.min(freshUntil, storedAt + rule.lifetime.freshMs);
}

function parseValues(text: string): readonly unknown[] | undefined {
  try {
    return JSON.parse(`[${text}]`);
  } catch {
    return undefined;
  }
}
