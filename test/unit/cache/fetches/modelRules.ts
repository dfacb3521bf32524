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

/** Under one rule, from the answer on: seconds as written, milliseconds as computed. */
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
  /** Longer than `maxAge`. */
  readonly stale?: number;
  readonly elapsed?: number;
  readonly isPrivate?: boolean;
  readonly isRefused?: boolean;
}

/** What a subgraph may say about its answer. */
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

/** `undefined` where nothing is kept. Units are `Product:1`, an entity, or `Query.news`, a root field. */
export function ruleOf(unit: string): ModelLifetime | undefined {
  return rulesByType[unit.split(':')[0] ?? ''];
}

/** For how long a value may be used, in milliseconds from its answer; `undefined` for not at all. */
export function lifetimeOf(unit: string, saying: string): ModelLifetime | undefined {
  const rule = ruleOf(unit);
  const { maxAge, stale, elapsed = 0, isPrivate = false, isRefused = false } = headerCases[saying] ?? {};
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
