import type { GatewayConfig } from '../config/schema.ts';
import { subgraphPolicy } from '../config/subgraphPolicy.ts';

/** The headers without which a request could not be finished later: those that any subgraph gets, and those that say
 *  whose it is. Sorted, in lower case. */
export function keptHeaderNames(config: GatewayConfig): ReadonlySet<string> {
  const forwarded = Object.keys(config.subgraphs).flatMap(
    (name) => subgraphPolicy(config, name).headers.forward,
  );
  const identity = config.cache.identity?.header;
  const names = [...forwarded, 'authorization', ...(identity === undefined ? [] : [identity])];
  return new Set(names.map((name) => name.toLowerCase()).sort());
}
