import { z } from 'zod';
import { cacheRuleTargetPattern } from '../cacheRuleTarget.ts';
import { isCacheTag } from '../isCacheTag.ts';
import { choice, duration, flag, integer, nonBlankText, size, text } from '../scalars.ts';
import { headerName } from './headerName.ts';

const rule = z.strictObject({
  maxAge: duration().describe('How long a value is fresh, counted from storing. `0s`: never.'),
  staleWhileRevalidate: duration()
    .describe('How long after `maxAge` a stale value is served while a refresh runs.')
    .prefault('0s'),
  staleIfError: duration()
    .describe('How long after `maxAge` a stale value is served if the subgraph fails.')
    .prefault('0s'),
  scope: choice(['PUBLIC', 'PRIVATE'])
    .describe(
      '`PUBLIC`: shared by all clients. `PRIVATE`: stored separately for each identity (`security.identity`). Default: the scope of `@cached` at this coordinate, else that of the next wider rule, else `PUBLIC`.',
    )
    .optional(),
  tags: z
    .array(
      text({
        title: 'text',
        expected: 'a string that is not blank and contains no NUL',
        isValid: isCacheTag,
      }),
    )
    .describe(
      'Tags to invalidate the values by. Default: the tags of `@cached` at this coordinate. Tags of wider rules are added.',
    )
    .optional(),
});

/** The options of the section `cache` for what is cached, for how long and for whom. */
export const cacheRuleOptions = {
  enabled: flag()
    .describe('Serve values from the cache by rules. Without a rule nothing is cached.')
    .prefault(true),
  rules: z
    .record(
      z
        .string()
        .regex(
          new RegExp(cacheRuleTargetPattern),
          'a type such as `Product`, a field such as `Product.stock` or a subgraph such as `subgraph:inventory`',
        ),
      rule,
    )
    .meta({ title: 'rule by type, field or subgraph' })
    .describe(
      "Cache rules by `Product`, `Product.stock` or `subgraph:inventory`. The narrowest rule applies. A rule overrides the subgraphs' `@cached` at the same coordinate.",
    )
    .prefault({}),
  nullMaxAge: duration()
    .describe(
      'How long a null entity or root field is cached at most. It is never served stale. `0s`: not at all.',
    )
    .prefault('5s'),
  maxEntrySize: size()
    .describe('Largest value that is stored, as JSON text. A larger value is fetched each time.')
    .prefault('512KB'),
  ignoreHeaders: z
    .array(headerName)
    .describe(
      'Forwarded headers that change no `PUBLIC` value, such as `authorization` if it only identifies the client. All other forwarded headers are part of the cache key. Keys of `PRIVATE` values contain all of them.',
    )
    .prefault([]),
  ignoreSubgraphNoStore: z
    .array(nonBlankText('the name of a subgraph'))
    .describe(
      'Subgraphs whose `Cache-Control: no-store` does not prevent storing values with a rule. Apollo Server sends it for every field without `@cacheControl`.',
    )
    .prefault([]),
  responseTags: z
    .strictObject({
      count: integer()
        .describe(
          'Maximum number of tags in `extensions.cacheTags` of a response. A response with more is not stored, because the further tags could not invalidate it.',
        )
        .prefault(100),
      length: integer({ min: 1 }).describe('Maximum number of characters of such a tag.').prefault(256),
    })
    .prefault({}),
} as const;
