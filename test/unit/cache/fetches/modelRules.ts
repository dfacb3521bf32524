import { readRulesOf } from '../../../harness/cachedSubgraphs.ts';

export const { rules } = await readRulesOf({
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
});

/** The lifetime under one rule, counted from the answer: in seconds as declared, in milliseconds as computed. */
interface ModelLifetime {
  readonly fresh: number;
  readonly revalidate: number;
  readonly fallback: number;
  readonly isPrivate: boolean;
}

const rulesByType: Readonly<Record<string, ModelLifetime | undefined>> = {
  'Query.news': { fresh: 10, revalidate: 15, fallback: 30, isPrivate: false },
  'Query.mine': { fresh: 10, revalidate: 10, fallback: 30, isPrivate: true },
  'Query.hits': undefined,
  Product: { fresh: 10, revalidate: 15, fallback: 30, isPrivate: false },
  User: { fresh: 10, revalidate: 15, fallback: 10, isPrivate: true },
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
export function ruleOf(item: string): ModelLifetime | undefined {
  return rulesByType[item.split(':')[0] ?? ''];
}

/** The lifetime of a value in milliseconds from its answer; `undefined` if it must not be stored. */
export function lifetimeOf(item: string, headerCase: string): ModelLifetime | undefined {
  const rule = ruleOf(item);
  const { maxAge, stale, elapsed = 0, isPrivate = false, isRefused = false } = headerCases[headerCase] ?? {};
  if (rule === undefined || isRefused) return undefined;
  const fresh = Math.min(rule.fresh, maxAge ?? rule.fresh);
  const end = (of: number): number => Math.min(of, fresh + (stale ?? of - rule.fresh)) - elapsed;
  return {
    fresh: 1_000 * Math.max(0, fresh - elapsed),
    revalidate: 1_000 * Math.max(0, end(rule.revalidate)),
    fallback: 1_000 * Math.max(0, end(rule.fallback)),
    isPrivate: rule.isPrivate || isPrivate,
  };
}
