import { isCacheTag } from '../../config/isCacheTag.ts';
import { mergeTags } from './cacheRule.ts';

/** How many tags a subgraph's answer may bring, and how many characters each may have. */
export interface AnswerTagLimits {
  readonly count: number;
  readonly length: number;
}

type AnswerTags =
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  /** Not to be kept: it could not be invalidated by what was left out. */
  | { readonly kind: 'mistake'; readonly reason: string };

/** The tags of an answer: `extensions.cacheTags`, a list of texts that holds for all that the answer brings. */
export function readAnswerTags(
  extensions: Readonly<Record<string, unknown>> | undefined,
  { count, length }: AnswerTagLimits,
): AnswerTags {
  const given =
    extensions !== undefined && Object.hasOwn(extensions, 'cacheTags') ? extensions.cacheTags : [];
  if (given === null) return { kind: 'tags', tags: [] };
  if (!Array.isArray(given)) return invalidTags('is no list');
  if (given.length > count) return invalidTags(`has ${given.length} tags, more than ${count}`);
  for (const tag of given) {
    if (typeof tag !== 'string' || !isCacheTag(tag))
      return invalidTags('has a tag that is no text, or blank');
    if (tag.length > length) return invalidTags(`has a tag of ${tag.length} characters, more than ${length}`);
  }
  return { kind: 'tags', tags: mergeTags(given as string[]) };
}

function invalidTags(what: string): AnswerTags {
  return { kind: 'mistake', reason: `extensions.cacheTags ${what}` };
}
