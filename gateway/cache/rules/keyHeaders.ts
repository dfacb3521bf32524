import type { CacheScope } from '../../execution/cachingContribution.ts';

/** Which of the headers that travel to a subgraph are in the keys of values of a scope. A private value is kept
 *  apart by all of them. `pairs`: name, value, name, value …, the names in lower case. */
export function selectKeyHeaders(
  pairs: readonly string[],
  scope: CacheScope,
  ignored: ReadonlySet<string>,
): readonly string[] {
  if (scope === 'PRIVATE' || ignored.size === 0) return pairs;
  return pairs.filter((_, index) => !ignored.has(pairs[index - (index % 2)] ?? ''));
}
