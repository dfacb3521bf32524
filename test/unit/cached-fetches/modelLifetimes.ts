import { rulesOf } from '../cache/rules/composed.ts';

export const { rules } = await rulesOf({
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
export interface Kept {
  readonly fresh: number;
  readonly revalidate: number;
  readonly fallback: number;
  readonly isPrivate: boolean;
}

const rulesByType: Readonly<Record<string, Kept | undefined>> = {
  'Query.news': { fresh: 10, revalidate: 15, fallback: 30, isPrivate: false },
  'Query.mine': { fresh: 10, revalidate: 10, fallback: 30, isPrivate: true },
  'Query.hits': undefined,
  Product: { fresh: 10, revalidate: 15, fallback: 30, isPrivate: false },
  User: { fresh: 10, revalidate: 15, fallback: 10, isPrivate: true },
};

export interface Saying {
  readonly cacheControl?: string;
  readonly age?: string;
  readonly maxAge?: number;
  /** Longer than `maxAge`. */
  readonly stale?: number;
  readonly taken?: number;
  readonly isPrivate?: boolean;
  readonly isRefused?: boolean;
}

/** What a subgraph may say about its answer. */
export const sayings: Readonly<Record<string, Saying>> = {
  nothing: {},
  short: { cacheControl: 'max-age=5', maxAge: 5 },
  must: { cacheControl: 'max-age=5, must-revalidate', maxAge: 5, stale: 0 },
  aged: { cacheControl: 'max-age=8', age: '3', maxAge: 8, taken: 3 },
  old: { cacheControl: 'max-age=2', age: '3', maxAge: 2, taken: 3 },
  private: { cacheControl: 'private', isPrivate: true },
  'no-store': { cacheControl: 'no-store', isRefused: true },
  nonsense: { cacheControl: 'max-age=soon', isRefused: true },
};

/** `undefined` where nothing is kept. Units are `Product:1`, an entity, or `Query.news`, a root field. */
export function ruleOf(unit: string): Kept | undefined {
  return rulesByType[unit.split(':')[0] ?? ''];
}

/** For how long a value may be used, in milliseconds from its answer; `undefined` for not at all. */
export function lifetimeOf(unit: string, saying: string): Kept | undefined {
  const rule = ruleOf(unit);
  const { maxAge, stale, taken = 0, isPrivate = false, isRefused = false } = sayings[saying] ?? {};
  if (rule === undefined || isRefused) return undefined;
  const fresh = Math.min(rule.fresh, maxAge ?? rule.fresh);
  const end = (of: number): number => Math.min(of, fresh + (stale ?? of - rule.fresh)) - taken;
  return {
    fresh: 1_000 * Math.max(0, fresh - taken),
    revalidate: 1_000 * Math.max(0, end(rule.revalidate)),
    fallback: 1_000 * Math.max(0, end(rule.fallback)),
    isPrivate: rule.isPrivate || isPrivate,
  };
}
