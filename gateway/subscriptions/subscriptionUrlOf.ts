/** The address for subscriptions of a subgraph: its address with another path (`subscription.path`), empty for the same.
 *  The query of the address, such as a key, remains unless the path has its own. */
export function subscriptionUrlOf(url: string, path: string): string {
  if (path === '') return url;
  const target = new URL(path, url);
  if (target.search === '') target.search = new URL(url).search;
  return target.href;
}
