import { sectionOf } from '../../config/isSection.ts';
import { asDuration, noteKeys, readFlag, type Translate } from './routerOptions.ts';
import { translateRedis } from './routerRedis.ts';

/** Translates `response_cache`, and `preview_entity_cache` of earlier versions of Apollo Router. */
export const translateCache: Translate = (value, source, draft) => {
  const { enabled, subgraph, ...others } = sectionOf(value);
  noteKeys(others, source, draft);
  const isCached = readFlag(enabled, false, `${source}.enabled`, draft);
  const { all, subgraphs } = sectionOf(subgraph);
  const { redis, ttl, enabled: forAll, ...rest } = sectionOf(all);
  if (redis !== undefined) translateRedis(redis, `${source}.subgraph.all.redis`, draft);
  noteKeys(rest, `${source}.subgraph.all`, draft);
  if (isCached && forAll !== false)
    draft.note(
      `${source}.subgraph.all`,
      `nothing is cached without a rule for a type, field or subgraph: cache.rules${ttl === undefined ? '' : `, with maxAge ${asDuration(ttl)}`}`,
    );
  for (const [name, own] of Object.entries(sectionOf(subgraphs))) {
    const { ttl: lifetime = ttl, enabled: isOn = true, ...unknown } = sectionOf(own);
    noteKeys(unknown, `${source}.subgraph.subgraphs.${name}`, draft);
    const maxAge = asDuration(lifetime);
    if (!isCached || isOn !== true) continue;
    if (maxAge === undefined)
      draft.note(`${source}.subgraph.subgraphs.${name}`, 'set a lifetime: cache.rules');
    else
      draft.set(
        ['cache', 'rules', `subgraph:${name}`],
        { maxAge },
        `${source}.subgraph.subgraphs.${name}.ttl`,
      );
  }
};
