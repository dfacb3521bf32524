import { z } from 'zod';
import { anyText, size } from '../scalars.ts';
import { cacheMutationOptions } from './cacheMutations.ts';
import { cacheRuleOptions } from './cacheRules.ts';

/** The options of the section `cache` for the store. */
const cacheStoreOptions = {
  memory: z
    .strictObject({
      maxSize: size()
        .describe(
          'Memory of each process for entries, including keys and tags. The least recently used entries are evicted first.',
        )
        .prefault('64MB'),
    })
    .prefault({}),
};

/** The options of the section `cache` for invalidation by events. */
const cacheEventOptions = {
  events: z
    .strictObject({
      stream: anyText()
        .describe(
          'Key of a Redis stream, without `redis.keyPrefix`. Events of the stream invalidate by their field `invalidate`. Every process reads every event. Empty: no stream.',
        )
        .prefault(''),
    })
    .prefault({}),
};

export const cacheSection = z
  .strictObject({ ...cacheRuleOptions, ...cacheStoreOptions, ...cacheMutationOptions, ...cacheEventOptions })
  .describe('The cache for responses of subgraphs.');
