import type { CacheRules } from '../../../../gateway/cache/rules/cacheRules.ts';
import { readRulesOf } from '../../../harness/cachedSubgraphs.ts';

const subgraphs = {
  products: `
    type Query {
      news: String @cached(maxAge: "10s", staleWhileRevalidate: "5s", staleIfError: "20s", tags: ["news"])
      mine: String @cached(maxAge: "10s", staleIfError: "20s", scope: PRIVATE)
      hits: Int
    }
    type Product @key(fields: "id") @cached(maxAge: "10s", staleWhileRevalidate: "5s", staleIfError: "20s") {
      id: ID!
      name: String
    }
    type User @key(fields: "id") @cached(maxAge: "10s", staleWhileRevalidate: "5s", scope: PRIVATE) {
      id: ID!
      mail: String
    }
  `,
};

/** The cache rules of one supergraph. */
export interface ModelRules {
  readonly rules: CacheRules;
  readonly lifetimes: Readonly<Record<string, ModelLifetime | undefined>>;
}

/** The lifetime under one rule, counted from the answer: in seconds as declared, in milliseconds as computed. */
interface ModelLifetime {
  readonly fresh: number;
  readonly revalidate: number;
  readonly fallback: number;
  readonly isPrivate: boolean;
}

const declaredLifetimes: ModelRules['lifetimes'] = {
  'Query.news': { fresh: 10, revalidate: 15, fallback: 30, isPrivate: false },
  'Query.mine': { fresh: 10, revalidate: 10, fallback: 30, isPrivate: true },
  'Query.hits': undefined,
  Product: { fresh: 10, revalidate: 15, fallback: 30, isPrivate: false },
  User: { fresh: 10, revalidate: 15, fallback: 10, isPrivate: true },
};

export const declaredRules: ModelRules = {
  rules: (await readRulesOf(subgraphs)).rules,
  lifetimes: declaredLifetimes,
};

/** Of a supergraph in which values expire earlier and the news are private: during a rollout, its processes share entries
 *  with those of the other one. */
export const stricterRules: ModelRules = {
  rules: (
    await readRulesOf(subgraphs, {
      Product: { maxAge: 4_000, staleWhileRevalidate: 3_000, staleIfError: 8_000 },
      'Query.news': { maxAge: 6_000, staleWhileRevalidate: 0, staleIfError: 20_000, scope: 'PRIVATE' },
    })
  ).rules,
  lifetimes: {
    ...declaredLifetimes,
    Product: { fresh: 4, revalidate: 7, fallback: 12, isPrivate: false },
    'Query.news': { fresh: 6, revalidate: 6, fallback: 26, isPrivate: true },
  },
};

interface HeaderCase {
  readonly cacheControl?: string;
  readonly age?: string;
  readonly maxAge?: number;
  /** In addition to `maxAge`. */
  readonly stale?: number;
  readonly elapsed?: number;
  readonly isPrivate?: boolean;
  readonly isRefused?: boolean;
}

/** The caching headers that a subgraph can send. */
export const headerCases: Readonly<Record<string, HeaderCase>> = {
  nothing: {},
  short: { cacheControl: 'max-age=5', maxAge: 5 },
  must: { cacheControl: 'max-age=5, must-revalidate', maxAge: 5, stale: 0 },
  aged: { cacheControl: 'max-age=8', age: '3', maxAge: 8, elapsed: 3 },
  old: { cacheControl: 'max-age=2', age: '3', maxAge: 2, elapsed: 3 },
  private: { cacheControl: 'private', isPrivate: true },
  'no-store': { cacheControl: 'no-store', isRefused: true },
  nonsense: { cacheControl: 'max-age=soon', isRefused: true },
};

/** The rule of an item; `undefined` if it has none. Items are named like the entity `Product:1` or the root field
 *  `Query.news`. */
export function ruleOf(item: string, { lifetimes }: ModelRules): ModelLifetime | undefined {
  return lifetimes[item.split(':')[0] ?? ''];
}

/** The lifetime of a value in milliseconds from its answer; `undefined` if it must not be stored. */
export function lifetimeOf(item: string, headerCase: string, rules: ModelRules): ModelLifetime | undefined {
  const rule = ruleOf(item, rules);
  const { maxAge, stale, elapsed = 0, isPrivate = false, isRefused = false } = headerCases[headerCase] ?? {};
  if (rule === undefined || isRefused) return undefined;
  const fresh = Math.min(rule.fresh, maxAge ?? rule.fresh);
  // As in HTTP, a stale period of the header begins when the freshness by the header ends, which the rule may shorten.
  const end = (of: number): number =>
    Math.min(of, stale === undefined ? fresh + of - rule.fresh : (maxAge ?? rule.fresh) + stale) - elapsed;
  return {
    fresh: 1_000 * Math.max(0, fresh - elapsed),
    revalidate: 1_000 * Math.max(0, end(rule.revalidate)),
    fallback: 1_000 * Math.max(0, end(rule.fallback)),
    isPrivate: rule.isPrivate || isPrivate,
  };
}
