import type { GatewayConfig } from '../../config/schema.ts';
import { subgraphPolicyOf } from '../../config/subgraphPolicyOf.ts';

/** The headers without which a request could not be finished later: those that any subgraph gets, and those that say
 *  whose it is. Sorted, in lower case. */
export function storedHeaderNames(config: GatewayConfig): ReadonlySet<string> {
  const forwarded = Object.keys(config.subgraphs).flatMap(
    (name) => subgraphPolicyOf(config, name).headers.forward,
  );
  const identity = config.security.identity?.header;
  const names = [...forwarded, 'authorization', ...(identity === undefined ? [] : [identity])];
  return new Set(names.map((name) => name.toLowerCase()).sort());
}
