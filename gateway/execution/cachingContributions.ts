import type { CachingContribution } from './cachingContribution.ts';
import type { FetchResult } from './fetchCall.ts';
import type { FetchStep } from './program.ts';
import type { RequestContext } from './requestContext.ts';

/** How the fetches of an execution limit the caching of its response. */
export class CachingContributions {
  /** Per delivery group. Groups without fetches are holes. */
  readonly byGroup: CachingContribution[][] = [];
  readonly #requestContext: RequestContext;
  /** When the first cached value arrived, on `performance.now()`'s clock. */
  #cachedValuesSince: number | undefined;

  constructor(requestContext: RequestContext) {
    this.#requestContext = requestContext;
  }

  /** How long the response has waited for other fetches since it got its first cached value, in milliseconds. The times of
   *  `byGroup` are those at which they arrived. */
  get ageMs(): number {
    return this.#cachedValuesSince === undefined ? 0 : performance.now() - this.#cachedValuesSince;
  }

  add({ group, shape }: FetchStep, result: FetchResult): void {
    const { hasComputedHeaders, responseHeaderCollector } = this.#requestContext;
    let contribution: CachingContribution = uncached;
    if (result.kind === 'completed') {
      const { caching, metadata } = result;
      contribution =
        caching ?? (metadata && responseHeaderCollector?.cachingOf(shape.subgraph, metadata)) ?? contribution;
    }
    // What an extension has computed headers from cannot be named in `Vary`.
    if (hasComputedHeaders && contribution.kind === 'cached')
      contribution = { ...contribution, headers: [...contribution.headers, '*'] };
    if (contribution.kind === 'cached') this.#cachedValuesSince ??= performance.now();
    this.byGroup[group] ??= [];
    this.byGroup[group].push(contribution);
  }
}

const uncached: CachingContribution = { kind: 'uncached' };
