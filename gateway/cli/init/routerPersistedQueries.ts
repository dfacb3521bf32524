import { sectionOf } from '../../config/isSection.ts';
import { asDuration, noteKeys, readFlag, type Translate, to } from './routerOptions.ts';
import { translateRedis } from './routerRedis.ts';

/** Where the gateway looks for the manifest that Apollo Router fetches from GraphOS. */
const expectedManifest = 'persisted-query-manifest.json';

/** Translates `persisted_queries` of Apollo Router. */
export const translatePersistedQueries: Translate = (value, source, draft) => {
  const {
    enabled,
    safelist,
    experimental_local_manifests: earlier,
    hot_reload: _,
    ...rest
  } = sectionOf(value);
  const { local_manifests: manifests = earlier, ...others } = rest;
  noteKeys(others, source, draft);
  const { enabled: isSafelist, require_id: requireId } = sectionOf(safelist);
  if (requireId === true)
    draft.note(`${source}.safelist.require_id`, 'texts of the manifest are accepted, too');
  if (!readFlag(enabled, true, `${source}.enabled`, draft)) return;
  const isRequired = readFlag(isSafelist, true, `${source}.safelist.enabled`, draft);
  const isLocal = Array.isArray(manifests) && manifests.length > 0;
  if (!isLocal)
    draft.note(
      source,
      isRequired
        ? `lists of GraphOS are not fetched: let CI write the manifest that it publishes to ${expectedManifest}. The gateway does not start without it, because only its operations may be executed`
        : 'lists of GraphOS are not fetched: let CI write the manifest that it publishes to a file, and set security.trustedDocuments',
    );
  if (!isLocal && !isRequired) return;
  draft.set(['security', 'trustedDocuments', 'mode'], isRequired ? 'require' : 'prefer', source);
  draft.set(
    ['security', 'trustedDocuments', 'manifest'],
    isLocal
      ? manifests.map((path) => (typeof path === 'string' ? draft.relativePath(path) : path))
      : expectedManifest,
    `${source}.local_manifests`,
  );
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
