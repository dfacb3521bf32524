import type { SubgraphChange } from '../subgraphChange.ts';

/** What a reader of the gateway's directives cannot read, and could before or had not to. Its problems begin with
 *  the coordinate and a colon. */
export function findInvalidUses(
  directive: 'cached' | 'enrichment',
  before: readonly string[],
  after: readonly string[],
): readonly SubgraphChange[] {
  return after
    .filter((problem) => !before.includes(problem))
    .map((message) => ({
      rule: `${directive}-invalid` as const,
      severity: 'breaking' as const,
      message,
      coordinate: message.slice(0, message.indexOf(':')),
    }));
}
