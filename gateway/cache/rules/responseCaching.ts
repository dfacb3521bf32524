import type { CacheScope } from './cacheRule.ts';

/** Something that went into an answer of the gateway. */
export type Contribution =
  /** It may not be kept, or failed. */
  { readonly kind: 'uncached' } | CachedPart;

export interface CachedPart {
  readonly kind: 'cached';
  readonly scope: CacheScope;
  /** Since the subgraph made it. */
  readonly ageMs: number;
  /** How much longer it is fresh; 0 or less for a stale value. */
  readonly leftMs: number;
  /** Names of the client's headers that it may depend on, in lower case. */
  readonly headers: readonly string[];
}

/** Headers of the gateway's own answer; `undefined` for one that is not there. */
export interface ResponseCaching {
  readonly cacheControl: string;
  readonly age: string | undefined;
  readonly vary: string | undefined;
}

const notToBeKept: ResponseCaching = { cacheControl: 'no-store', age: undefined, vary: undefined };

/** How long a client, or a cache before the gateway, may keep an answer: as long as the first of its parts is fresh.
 *  Without a part that may be kept, an answer may not be kept either. */
export function responseCaching(contributions: readonly Contribution[]): ResponseCaching {
  if (contributions.length === 0) return notToBeKept;
  let [leftMs, ageMs] = [Number.POSITIVE_INFINITY, 0];
  let isPrivate = false;
  const headers = new Set<string>();
  for (const part of contributions) {
    if (part.kind === 'uncached') return notToBeKept;
    leftMs = Math.min(leftMs, part.leftMs);
    ageMs = Math.max(ageMs, part.ageMs);
    isPrivate ||= part.scope === 'PRIVATE';
    for (const header of part.headers) headers.add(header);
  }
  // A cache counts from the answer's beginning: `max-age` less `Age` is what is left. Both in whole seconds, the
  // fractions in favour of asking sooner.
  const age = Math.floor(ageMs / 1_000);
  const left = Math.max(0, Math.floor(leftMs / 1_000));
  return {
    cacheControl: `${isPrivate ? 'private' : 'public'}, max-age=${left === 0 ? 0 : age + left}`,
    age: String(age),
    vary: headers.size === 0 ? undefined : [...headers].sort().join(', '),
  };
}
