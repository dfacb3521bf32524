import type { CacheScope } from '../../execution/cachingContribution.ts';
import { type AnswerTagLimits, readAnswerTags } from './answerTags.ts';
import { type AllowedCaching, type CachingHeaders, readCacheControl } from './cacheControl.ts';
import { type CacheRule, mergeTags, strictestScope } from './cacheRule.ts';
import { isUsable, type Lifetime, lifetimeOf, remainingLifetime, shorterLifetime } from './lifetime.ts';

/** One value out of a subgraph's answer, with what the answer says about itself. */
export interface SubgraphValue {
  readonly headers: CachingHeaders;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
  /** Whether there are errors that may concern the value. */
  readonly hasErrors: boolean;
  /** The entity or root field is null. */
  readonly isNull: boolean;
}

export interface StorageOptions {
  readonly nullMaxAgeMs: number;
  readonly tagLimits: AnswerTagLimits;
  /** Whose request it was; `undefined` for nobody's. */
  readonly identity: string | undefined;
}

/** Whether and for how long a value is stored. */
export type StorageDecision =
  | {
      readonly isStored: true;
      /** From now on: what the answer was old already is taken off. */
      readonly lifetime: Lifetime;
      /** How old it is now. */
      readonly ageMs: number;
      /** Of the value, and so of its key: an answer may be private by a rule that is not. */
      readonly scope: CacheScope;
      readonly tags: readonly string[];
    }
  /** `isMistake`: the subgraph sent what makes no sense; to be warned about once. */
  | { readonly isStored: false; readonly reason: string; readonly hasInvalidMetadata: boolean };

/** What becomes of an answered value: the rule of its fetch, narrowed by what the answer says. An answer never
 *  makes a value live longer or be for more people. */
export function decideStorage(
  rule: CacheRule,
  value: SubgraphValue,
  options: StorageOptions,
): StorageDecision {
  const { headers, extensions, hasErrors, isNull } = value;
  if (hasErrors) return notStored('it has errors');
  const allowed = readCacheControl(headers);
  if (allowed.kind === 'refused') {
    return { isStored: false, reason: allowed.reason, hasInvalidMetadata: allowed.hasInvalidHeaders };
  }
  const answerTags = readAnswerTags(extensions, options.tagLimits);
  if (answerTags.kind === 'mistake')
    return { isStored: false, reason: answerTags.reason, hasInvalidMetadata: true };
  const scope = strictestScope(rule.scope, allowed.isPrivate ? 'PRIVATE' : 'PUBLIC');
  if (scope === 'PRIVATE' && options.identity === undefined) {
    return notStored('it is private, and the request has no identity');
  }
  const narrowed = remainingLifetime(narrowLifetime(rule.lifetime, allowed), allowed.ageMs);
  const lifetime = isNull ? shorterLifetime(narrowed, nullLifetime(options.nullMaxAgeMs)) : narrowed;
  if (!isUsable(lifetime)) return notStored('its time is over already');
  return {
    isStored: true,
    lifetime,
    ageMs: allowed.ageMs,
    scope,
    tags: mergeTags(rule.tags, answerTags.tags),
  };
}

/** Where the answer says nothing about a stale value, the rule's time for that begins at the earlier end. */
function narrowLifetime(lifetime: Lifetime, allowed: AllowedCaching): Lifetime {
  const { freshMs, revalidateMs, fallbackMs } = lifetime;
  return shorterLifetime(
    lifetime,
    lifetimeOf({
      maxAgeMs: allowed.maxAgeMs ?? freshMs,
      staleWhileRevalidateMs: allowed.staleWhileRevalidateMs ?? revalidateMs - freshMs,
      staleIfErrorMs: allowed.staleIfErrorMs ?? fallbackMs - freshMs,
    }),
  );
}

/** What is not there may be there in a moment: never stale. */
function nullLifetime(nullMaxAgeMs: number): Lifetime {
  return lifetimeOf({ maxAgeMs: nullMaxAgeMs, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 });
}

function notStored(reason: string): StorageDecision {
  return { isStored: false, reason, hasInvalidMetadata: false };
}
