import type { CacheObserver } from './cacheObserver.ts';
import type { CacheAdmin } from './cacheRoutes.ts';
import { type CacheEntryView, describeEntry } from './describeEntry.ts';
import { parseInvalidationRequest } from './invalidation/invalidationRequest.ts';
import type { CacheRules } from './rules/cacheRules.ts';
import type { CacheStore } from './store/cacheStore.ts';
import { isEntityTag } from './tags/namedTag.ts';

interface CacheAdministrationOptions {
  readonly store: CacheStore;
  readonly observer: CacheObserver;
  /** Of the supergraph in use; `undefined` where there is none, or nothing in it may be kept. */
  rules(): CacheRules | undefined;
  /** Milliseconds since 1970. */
  now(): number;
}

/** What operators may do with the cache, in the words of the supergraph in use. */
export function createCacheAdministration(options: CacheAdministrationOptions): CacheAdmin {
  const { store, observer, rules, now } = options;

  async function viewsOf(tags: readonly string[], limit: number): Promise<CacheEntryView[]> {
    const keys = new Set<string>();
    for (const tag of tags.filter(isEntityTag)) {
      if (keys.size >= limit) break;
      for (const key of await store.keysWithTag(tag, limit)) keys.add(key);
    }
    const views = await Promise.all(
      [...keys].slice(0, limit).map(async (key) => {
        const description = await store.describe(key);
        return description === undefined ? [] : [describeEntry(key, description, now())];
      }),
    );
    return views.flat();
  }

  return {
    async invalidate(body) {
      const current = rules();
      if (current === undefined) return cacheUnavailable;
      const read = parseInvalidationRequest(body, current.graph);
      if (read.kind === 'mistakes') return read;
      const { deleted, isPending } = await store.deleteByTags(read.tags);
      observer.onInvalidated({ by: 'admin', deleted });
      return { kind: 'done', deleted, isPending };
    },
    async entriesOf(entity, limit) {
      const current = rules();
      if (current === undefined) return cacheUnavailable;
      const read = parseInvalidationRequest({ entities: [entity] }, current.graph);
      if (read.kind === 'mistakes') {
        return {
          kind: 'mistakes',
          reasons: read.reasons.map((reason) => reason.replace(/^entities\[0\]/, 'entity')),
        };
      }
      // One more says whether there are more.
      const entries = await viewsOf(read.tags, limit + 1);
      return { kind: 'entries', entries: entries.slice(0, limit), isComplete: entries.length <= limit };
    },
  };
}

const cacheUnavailable = {
  kind: 'unavailable',
  reason: 'nothing is kept: there is no supergraph yet, or it has no rule (@cached, cache.rules)',
} as const;
