import { isCacheTag } from '../../config/isCacheTag.ts';
import type { CacheScope } from '../../execution/cachingContribution.ts';
import { type AllowedCaching, type CachingHeaders, readCacheControl } from '../../subgraphs/cacheControl.ts';
import { type CacheRule, mergeTags, strictestScope } from './cacheRule.ts';
import { isUsable, type Lifetime, lifetimeOf, remainingLifetime, shorterLifetime } from './lifetime.ts';

/** One value of a subgraph's response, with the metadata of the response. */
export interface SubgraphValue {
  readonly headers: CachingHeaders;
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
  /** Whether the response has errors that may concern the value. */
  readonly hasErrors: boolean;
  /** The entity or root field is null. */
  readonly isNull: boolean;
  /** The response has cookies that its client gets. */
  readonly hasCookies?: boolean;
}

/** Limits of the tags in a subgraph's response: their count, and the characters of each. */
export interface ResponseTagLimits {
  readonly count: number;
  readonly length: number;
}

export interface StorageOptions {
  readonly nullMaxAgeMs: number;
  readonly tagLimits: ResponseTagLimits;
  /** Whether `Cache-Control: no-store` of the subgraph does not count. */
  readonly ignoresNoStore: boolean;
  /** The client of the request; `undefined` for an anonymous one. */
  readonly identity: string | undefined;
}

/** Whether and for how long a value is stored. */
export type StorageDecision =
  | {
      readonly kind: 'stored';
      /** From now on: the age of the response is already subtracted. */
      readonly lifetime: Lifetime;
      /** The age of the value now. */
      readonly ageMs: number;
      /** The scope of the value and of its key: a response may be private although its rule is not. */
      readonly scope: CacheScope;
      readonly tags: readonly string[];
    }
  /** `refused`: the headers or the missing identity forbid it. `invalid`: the subgraph sent metadata that cannot be
   *  parsed, which operators should know. */
  | { readonly kind: 'errors' | 'refused' | 'invalid'; readonly reason: string };

/** Decides whether a value is stored: by the rule of its fetch, narrowed by the metadata of the response. A response never
 *  extends the lifetime of a value or its audience. */
export function decideStorage(
  rule: CacheRule,
  value: SubgraphValue,
  options: StorageOptions,
): StorageDecision {
  const { headers, extensions, hasErrors, isNull, hasCookies } = value;
  if (hasErrors) return { kind: 'errors', reason: 'the response has errors' };
  if (hasCookies) return refuse('the response sets a cookie, which is sent to the client (headers.respond)');
  const allowed = readCacheControl(headers, options.ignoresNoStore);
  if (allowed.kind !== 'allowed') return allowed;
  const responseTags = readResponseTags(extensions, options.tagLimits);
  if (responseTags.kind === 'invalid') return responseTags;
  const scope = strictestScope(rule.scope, allowed.isPrivate ? 'PRIVATE' : 'PUBLIC');
  if (scope === 'PRIVATE' && options.identity === undefined) {
    return refuse('the value is private, and the request has no identity');
  }
  const narrowed = remainingLifetime(narrowLifetime(rule.lifetime, allowed), allowed.ageMs);
  const lifetime = isNull ? nullLifetime(Math.min(narrowed.freshMs, options.nullMaxAgeMs)) : narrowed;
  if (!isUsable(lifetime)) return refuse('the value has already expired');
  return {
    kind: 'stored',
    lifetime,
    ageMs: allowed.ageMs,
    scope,
    tags: mergeTags(rule.tags, responseTags.tags),
  };
}

/** If the response says nothing about stale use, the stale periods of the rule begin when the narrowed freshness ends. */
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

/** A null is never served stale, because the object may be created at any moment. */
function nullLifetime(maxAgeMs: number): Lifetime {
  return lifetimeOf({ maxAgeMs, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 });
}

function refuse(reason: string): StorageDecision {
  return { kind: 'refused', reason };
}

type ResponseTags =
  | { readonly kind: 'tags'; readonly tags: readonly string[] }
  /** The response must not be stored: it could not be invalidated by the tags that cannot be read. */
  | { readonly kind: 'invalid'; readonly reason: string };

/** Reads `extensions.cacheTags`, a list of strings that applies to all values of the response. */
function readResponseTags(
  extensions: Readonly<Record<string, unknown>> | undefined,
  { count, length }: ResponseTagLimits,
): ResponseTags {
  const given =
    extensions !== undefined && Object.hasOwn(extensions, 'cacheTags') ? extensions.cacheTags : [];
  if (given === null) return { kind: 'tags', tags: [] };
  if (!Array.isArray(given)) return invalidTags('is not a list');
  if (given.length > count) return invalidTags(`has ${given.length} tags, more than ${count}`);
  for (const tag of given) {
    if (typeof tag !== 'string' || !isCacheTag(tag))
      return invalidTags('has a tag that is not a string, or blank');
    if (tag.length > length) return invalidTags(`has a tag of ${tag.length} characters, more than ${length}`);
  }
  return { kind: 'tags', tags: mergeTags(given as string[]) };
}

function invalidTags(problem: string): ResponseTags {
  return { kind: 'invalid', reason: `extensions.cacheTags ${problem}` };
}
