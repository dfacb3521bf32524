import type { CacheScope } from '../../execution/cachingContribution.ts';
import { type CacheDurations, type Lifetime, lifetimeOf, shorterLifetime } from './lifetime.ts';

/** A rule as it is written at one place: a type, a field, a subgraph. */
export interface DeclaredRule extends CacheDurations {
  /** `undefined`: what a wider rule says. */
  readonly scope: CacheScope | undefined;
  readonly tags: readonly string[];
}

/** What holds for a field, or for everything that a fetch brings. */
export interface CacheRule {
  readonly lifetime: Lifetime;
  readonly scope: CacheScope;
  /** Sorted, each once. */
  readonly tags: readonly string[];
}

/** The rule of a place that several are written for, the narrowest first; `undefined` for none. The narrowest says
 *  how long. The narrowest that has a scope says for whom: a field that is only kept longer than its type does not
 *  become public by that. All tags count: who invalidates by a type's tag means all of its fields. */
export function resolveRuleLayers(layers: readonly DeclaredRule[]): CacheRule | undefined {
  const [narrowest] = layers;
  if (narrowest === undefined) return undefined;
  return {
    lifetime: lifetimeOf(narrowest),
    scope: layers.find(({ scope }) => scope !== undefined)?.scope ?? 'PUBLIC',
    tags: mergeTags(...layers.map(({ tags }) => tags)),
  };
}

/** The rule of a place that two are written for with equal right: the earlier of each end, private if one says so. */
export function strictestDeclaredRule(one: DeclaredRule, other: DeclaredRule): DeclaredRule {
  const { freshMs, revalidateMs, fallbackMs } = shorterLifetime(lifetimeOf(one), lifetimeOf(other));
  const scopes = [one.scope, other.scope];
  return {
    maxAgeMs: freshMs,
    staleWhileRevalidateMs: revalidateMs - freshMs,
    staleIfErrorMs: fallbackMs - freshMs,
    scope: scopes.includes('PRIVATE') ? 'PRIVATE' : (one.scope ?? other.scope),
    tags: mergeTags(one.tags, other.tags),
  };
}

/** The rule of what consists of two parts: the shorter of each duration, private if one is, all tags. */
export function strictestRule(one: CacheRule, other: CacheRule): CacheRule {
  return {
    lifetime: shorterLifetime(one.lifetime, other.lifetime),
    scope: strictestScope(one.scope, other.scope),
    tags: mergeTags(one.tags, other.tags),
  };
}

export function strictestScope(one: CacheScope, other: CacheScope): CacheScope {
  return one === 'PRIVATE' ? one : other;
}

export function mergeTags(...lists: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(lists.flat())].sort();
}
