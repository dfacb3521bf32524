import { z } from 'zod';
import { size } from '../scalars.ts';
import { cacheEventOptions } from './cacheEvents.ts';
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

export const cacheSection = z
  .strictObject({ ...cacheRuleOptions, ...cacheStoreOptions, ...cacheMutationOptions, ...cacheEventOptions })
  .describe('The cache for answers of subgraphs.');
