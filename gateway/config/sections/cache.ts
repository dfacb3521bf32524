import { z } from 'zod';
import { size } from '../scalars.ts';
import { cacheEventOptions } from './cacheEvents.ts';
import { cacheMutationOptions } from './cacheMutations.ts';
import { cacheRuleOptions } from './cacheRules.ts';

/** The part of the section `cache` that says where entries are kept. */
const cacheStoreOptions = {
  memory: z
    .strictObject({
      maxSize: size()
        .describe(
          'Memory of each process for entries, with their keys and tags. The least recently used leave first.',
        )
        .prefault('64MB'),
    })
    .prefault({}),
};

export const cacheSection = z
  .strictObject({ ...cacheRuleOptions, ...cacheStoreOptions, ...cacheMutationOptions, ...cacheEventOptions })
  .describe('Answers of subgraphs that are kept to be served again.');
