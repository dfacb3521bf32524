import { relayStylePagination } from '@apollo/client/utilities';

type Policy = ReturnType<typeof relayStylePagination>;
type Merge = Extract<Policy['merge'], (...args: never[]) => unknown>;

/** The policy of a connection whose pages may arrive again, as a page does with the stock that was pending: the pages after
 *  it stay. `relayStylePagination` drops them. */
export function connectionPages(keyArgs: string[]): Policy {
  const policy = relayStylePagination(keyArgs);
  const mergePage = policy.merge as Merge;
  const merge: Merge = (existing, incoming, options) => {
    const merged = mergePage(existing, incoming, options);
    const last = incoming?.edges?.at(-1);
    const index = existing?.edges.findIndex(({ cursor }) => cursor === last?.cursor) ?? -1;
    const following = index < 0 ? [] : (existing?.edges.slice(index + 1) ?? []);
    if (!existing || !merged || following.length === 0) return merged;
    return { ...merged, edges: [...merged.edges, ...following], pageInfo: existing.pageInfo };
  };
  return { ...policy, merge };
}
