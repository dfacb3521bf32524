import { z } from 'zod';
import { cacheRuleTargetPattern } from '../cacheRuleTarget.ts';
import { isCacheTag } from '../isCacheTag.ts';
import { choice, duration, flag, integer, size, text } from '../scalars.ts';
import { headerName } from './headerName.ts';

const rule = z.strictObject({
  maxAge: duration().describe('How long a value is fresh, from storing. `0s`: never.'),
  staleWhileRevalidate: duration()
    .describe('How much longer a stale value goes out at once while it is asked for anew.')
    .prefault('0s'),
  staleIfError: duration()
    .describe('How much longer than `maxAge` a stale value answers when the subgraph fails.')
    .prefault('0s'),
  scope: choice(['PUBLIC', 'PRIVATE'])
    .describe(
      '`PUBLIC`: the same for everyone. `PRIVATE`: stored separately for each identity (`security.identity`). Left out: what the `@cached` at this place says, then what the next wider rule says, then `PUBLIC`.',
    )
    .optional(),
  tags: z
    .array(
      text({ title: 'text', expected: 'text that is neither blank nor holds a NUL', isValid: isCacheTag }),
    )
    .describe(
      'Names to invalidate by. Left out: those of the `@cached` at this place. Those of wider rules are added.',
    )
    .optional(),
});

/** The part of the section `cache` that says what may be served from the cache, for how long and to whom. */
export const cacheRuleOptions = {
  enabled: flag()
    .describe('Serve what a rule allows from the cache. Without a rule nothing is kept.')
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
      "How long values may be served, by `Product`, `Product.stock` or `subgraph:inventory`. The narrowest counts. It wins over the subgraphs' `@cached` at the same place.",
    )
    .prefault({}),
  nullMaxAge: duration()
    .describe(
      'Longest that a null is kept where an entity or a root field was expected; it is never served stale. `0s`: not at all.',
    )
    .prefault('5s'),
  maxEntrySize: size()
    .describe('Largest value that is kept, as JSON text. A larger one is asked for each time.')
    .prefault('512KB'),
  refreshPause: duration()
    .describe('Time for which a stale value is not asked for anew after an attempt has failed.')
    .prefault('1s'),
  ignoreHeaders: z
    .array(headerName)
    .describe(
      'Forwarded headers that change no `PUBLIC` value, such as `authorization` where it only says who asks. Values are kept apart by all others, `PRIVATE` ones by all.',
    )
    .prefault([]),
  answerTags: z
    .strictObject({
      count: integer()
        .describe(
          'Most tags that an answer may bring in `extensions.cacheTags`. An answer with more is not kept: it could not be invalidated by those that are left out.',
        )
        .prefault(100),
      length: integer({ min: 1 }).describe('Most characters of such a tag.').prefault(256),
    })
    .prefault({}),
} as const;
