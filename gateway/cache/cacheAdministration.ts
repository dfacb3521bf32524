import { parseExactJson } from '../json/exactJson.ts';
import type { CacheObserver } from './cacheMetrics.ts';
import { parseInvalidationRequest } from './invalidation/invalidationRequest.ts';
import type { CacheRules } from './rules/cacheRules.ts';
import type { RuleReport } from './ruleUsages.ts';
import type { CacheDescription, CacheStore } from './store/cacheStore.ts';
import { isEntityTag, type NamedTag, parseTag } from './tags/tagNames.ts';

/** What operators can do with the cache. */
export interface CacheAdmin {
  /** Deletes the entries that the body of a request names. */
  invalidate(body: unknown): Promise<
    | {
        readonly kind: 'done';
        readonly deleted: number;
        /** Some entries could not be deleted yet. They are not served any more, and will be deleted later. */
        readonly isPending: boolean;
      }
    | InvalidCacheRequest
    | CacheUnavailable
  >;
  /** Describes at most `limit` entries of an entity, which is given as `__typename` and the fields of a key. */
  entriesOf(
    entity: unknown,
    limit: number,
  ): Promise<
    | { readonly kind: 'entries'; readonly entries: readonly CacheEntryView[]; readonly isComplete: boolean }
    | InvalidCacheRequest
    | CacheUnavailable
  >;
  /** Reports each rule of the current supergraph with what it did in this process; empty without a rule. */
  ruleReports(): readonly RuleReport[];
}

/** Every problem of a request, which had no effect. */
export interface InvalidCacheRequest {
  readonly kind: 'invalid';
  readonly reasons: readonly string[];
}

export interface CacheUnavailable {
  /** `unavailable`: until a supergraph is loaded. `unused`: the supergraph has no cache rule. */
  readonly kind: 'unavailable' | 'unused';
  readonly reason: string;
}

interface CacheAdministrationOptions {
  readonly store: CacheStore;
  readonly observer: CacheObserver;
  /** The rules of the current supergraph; `undefined` if it has none. */
  rules(): CacheRules | undefined;
  /** Whether a supergraph is loaded. */
  hasSupergraph(): boolean;
  reportRules(rules: CacheRules): readonly RuleReport[];
  /** Milliseconds since 1970. */
  now(): number;
}

/** Creates the operations for operators. Their requests use the names of the current supergraph. */
export function createCacheAdministration(options: CacheAdministrationOptions): CacheAdmin {
  const { store, observer, rules, hasSupergraph, reportRules, now } = options;
  const unavailable = (): CacheUnavailable => (hasSupergraph() ? noRules : noSupergraph);

  async function describeEntriesWith(tags: readonly string[], limit: number): Promise<CacheEntryView[]> {
    const keys = new Set<string>();
    for (const tag of tags.filter(isEntityTag))
      for (const key of await store.keysWithTag(tag, limit)) keys.add(key);
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
      if (current === undefined) return unavailable();
      const request = parseInvalidationRequest(body, current.graph);
      if (request.kind === 'invalid') return request;
      const { deleted, isPending } = await store.deleteByTags(request.tags);
      observer.onInvalidated({ by: 'admin', deleted });
      return { kind: 'done', deleted, isPending };
    },
    async entriesOf(entity, limit) {
      const current = rules();
      if (current === undefined) return unavailable();
      const request = parseInvalidationRequest({ entities: [entity] }, current.graph);
      if (request.kind === 'invalid') {
        return {
          kind: 'invalid',
          reasons: request.reasons.map((reason) => reason.replace(/^entities\[0\]/, 'entity')),
        };
      }
      // One more than the limit shows whether the list is complete.
      const entries = await describeEntriesWith(request.tags, limit + 1);
      return { kind: 'entries', entries: entries.slice(0, limit), isComplete: entries.length <= limit };
    },
    ruleReports() {
      const current = rules();
      return current === undefined ? [] : reportRules(current);
    },
  };
}

const noSupergraph: CacheUnavailable = {
  kind: 'unavailable',
  reason: 'No supergraph is loaded yet: GET /health/ready says why.',
};

const noRules: CacheUnavailable = {
  kind: 'unused',
  reason: 'Nothing is cached: the supergraph has no cache rule (@cached, cache.rules).',
};

/** A stored entry as operators see it. */
export interface CacheEntryView {
  readonly key: string;
  readonly from: 'memory' | 'redis';
  readonly subgraphs: readonly string[];
  readonly types: readonly string[];
  /** Custom tags, of rules and of `extensions.cacheTags`. */
  readonly tags: readonly string[];
  /** ISO 8601. */
  readonly storedAt: string;
  readonly ageMs: number;
  /** Like the next two, counted from now; 0 if expired. */
  readonly freshForMs: number;
  readonly staleWhileRevalidateForMs: number;
  readonly staleIfErrorForMs: number;
  readonly bytes: number;
  /** The parsed JSON value, or the stored text if it is not valid JSON. */
  readonly value: unknown;
}

/** `now`: milliseconds since 1970. */
export function describeEntry(
  key: string,
  { entry, from, bytes }: CacheDescription,
  now: number,
): CacheEntryView {
  const tags = entry.tags.flatMap((tag) => parseTag(tag) ?? []);
  const namesOf = (kind: NamedTag['kind']) => tags.filter((tag) => tag.kind === kind).map(({ name }) => name);
  const remaining = (until: number) => Math.max(0, until - now);
  return {
    key,
    from,
    subgraphs: namesOf('subgraph'),
    types: namesOf('type'),
    tags: namesOf('custom'),
    storedAt: new Date(entry.storedAt).toISOString(),
    ageMs: Math.max(0, now - entry.storedAt),
    freshForMs: remaining(entry.freshUntil),
    staleWhileRevalidateForMs: remaining(entry.staleWhileRevalidateUntil),
    staleIfErrorForMs: remaining(entry.staleIfErrorUntil),
    bytes,
    value: parseValue(entry.value),
  };
}

function parseValue(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    return text;
  }
}
