import { sectionOf } from '../../config/isSection.ts';
import { asDuration, noteKeys, type Translate, to } from './routerOptions.ts';
import { translateRedis } from './routerRedis.ts';

/** Translates `persisted_queries` of Apollo Router. */
export const translatePersistedQueries: Translate = (value, source, draft) => {
  const { enabled, safelist, local_manifests: manifests, hot_reload: _, ...others } = sectionOf(value);
  noteKeys(others, source, draft);
  const { enabled: isSafelist, require_id: requireId } = sectionOf(safelist);
  if (requireId === true)
    draft.note(`${source}.safelist.require_id`, 'texts of the manifest are accepted, too');
  if (enabled !== true) return;
  if (!Array.isArray(manifests) || manifests.length === 0) {
    draft.note(
      source,
      'lists of GraphOS are not fetched: let CI download them, and set security.trustedDocuments',
    );
    return;
  }
  draft.set(['security', 'trustedDocuments', 'mode'], isSafelist === true ? 'require' : 'prefer', source);
  draft.set(['security', 'trustedDocuments', 'manifest'], manifests, `${source}.local_manifests`);
};

/** Translates `apq` of Apollo Router. */
export const translateApq: Translate = (value, source, draft) => {
  const { enabled, router, subgraph, ...others } = sectionOf(value);
  noteKeys(others, source, draft);
  if (enabled !== undefined) to('http.persistedQueries.enabled')(enabled, `${source}.enabled`, draft);
  const { cache } = sectionOf(router);
  const { redis, in_memory: inMemory } = sectionOf(cache);
  if (inMemory !== undefined)
    draft.note(`${source}.router.cache.in_memory`, 'planning.textCacheSize limits characters, not texts');
  if (redis !== undefined) translateRedis(redis, `${source}.router.cache.redis`, draft);
  const { ttl } = sectionOf(redis);
  if (ttl !== undefined)
    to('http.persistedQueries.ttl', asDuration)(ttl, `${source}.router.cache.redis.ttl`, draft);
  if (subgraph !== undefined) draft.note(`${source}.subgraph`, 'each call has the text of its operation');
};
