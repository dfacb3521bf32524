import { sectionOf } from '../../config/isSection.ts';
import type { Translate } from './routerOptions.ts';

/** One Redis server for everything, or the nodes of a cluster. */
export const translateRedis: Translate = (value, source, draft) => {
  const { urls, ttl: _, ...others } = sectionOf(value);
  const [first] = Array.isArray(urls) ? urls : [];
  if (typeof first !== 'string') return;
  if (Array.isArray(urls) && urls.length > 1)
    draft.note(
      `${source}.urls`,
      'several addresses: set redis.cluster.nodes or redis.sentinel instead of redis.url',
    );
  draft.set(['redis', 'url'], first.replace(/^(rediss?)-(cluster|sentinel):/, '$1:'), `${source}.urls`);
  if (Object.keys(others).length > 0)
    draft.note(source, `see the section redis for: ${Object.keys(others).join(', ')}`);
};
