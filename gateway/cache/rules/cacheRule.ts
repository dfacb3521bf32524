import type { CacheScope } from '../../execution/cachingContribution.ts';
import { type CacheDurations, type Lifetime, lifetimeOf, shorterLifetime } from './lifetime.ts';

/** A rule as declared for one type, field or subgraph, before rules are layered. */
export interface DeclaredRule extends CacheDurations {
  /** `undefined`: the scope of a wider rule applies. */
  readonly scope: CacheScope | undefined;
  readonly tags: readonly string[];
}

/** The rule of a field, or of all values of a fetch. */
export interface CacheRule {
  readonly lifetime: Lifetime;
  readonly scope: CacheScope;
  /** Sorted, without duplicates. */
  readonly tags: readonly string[];
}

/** Combines the rules declared for a field, its type and its subgraph, the narrowest first; `undefined` for none. The
 *  narrowest rule defines the durations. The narrowest rule with a scope defines the scope, so that a longer duration
 *  does not make a field of a private type public. All tags apply: a type's tag invalidates all of its fields. */
export function resolveRuleLayers(layers: readonly DeclaredRule[]): CacheRule | undefined {
  const [narrowest] = layers;
  if (narrowest === undefined) return undefined;
  return {
    lifetime: lifetimeOf(narrowest),
    scope: layers.find(({ scope }) => scope !== undefined)?.scope ?? 'PUBLIC',
    tags: mergeTags(...layers.map(({ tags }) => tags)),
  };
}

/** Combines two rules of equal rank: the shorter of each duration, and private if one of them is. */
export function strictestDeclaredRule(a: DeclaredRule, b: DeclaredRule): DeclaredRule {
  const { freshMs, revalidateMs, fallbackMs } = shorterLifetime(lifetimeOf(a), lifetimeOf(b));
  const scopes = [a.scope, b.scope];
  return {
    maxAgeMs: freshMs,
    staleWhileRevalidateMs: revalidateMs - freshMs,
    staleIfErrorMs: fallbackMs - freshMs,
    scope: scopes.includes('PRIVATE') ? 'PRIVATE' : (a.scope ?? b.scope),
    tags: mergeTags(a.tags, b.tags),
  };
}

/** The rule of a value with two parts: the shorter of each duration, private if one part is, and all tags. */
export function strictestRule(a: CacheRule, b: CacheRule): CacheRule {
  return {
    lifetime: shorterLifetime(a.lifetime, b.lifetime),
    scope: strictestScope(a.scope, b.scope),
    tags: mergeTags(a.tags, b.tags),
  };
}

export function strictestScope(a: CacheScope, b: CacheScope): CacheScope {
  return a === 'PRIVATE' ? a : b;
}

export function mergeTags(...lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())].sort();
}
