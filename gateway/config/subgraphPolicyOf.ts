import type { GatewayConfig } from './schema.ts';

type AllSubgraphs = GatewayConfig['subgraphs']['all'];

/** The effective options of one subgraph: its own section merged over `subgraphs.all`. */
export interface SubgraphPolicy extends AllSubgraphs {
  /** Address of the subgraph; `undefined` for the address in the supergraph. */
  readonly url: string | undefined;
}

/** The effective options of a subgraph by its name in the supergraph. */
export function subgraphPolicyOf(config: GatewayConfig, name: string): SubgraphPolicy {
  const { all } = config.subgraphs;
  const own = name !== 'all' && Object.hasOwn(config.subgraphs, name) ? config.subgraphs[name] : undefined;
  return {
    url: own?.url,
    timeouts: {
      attempt: own?.timeouts?.attempt ?? all.timeouts.attempt,
      deadline: own?.timeouts?.deadline ?? all.timeouts.deadline,
    },
    headers: { forward: own?.headers?.forward ?? all.headers.forward },
    connections: own?.connections ?? all.connections,
    concurrency: {
      max: own?.concurrency?.max ?? all.concurrency.max,
      queue: own?.concurrency?.queue ?? all.concurrency.queue,
    },
    maxResponseSize: own?.maxResponseSize ?? all.maxResponseSize,
    http2: own?.http2 ?? all.http2,
    subscription: {
      protocol: own?.subscription?.protocol ?? all.subscription.protocol,
      path: own?.subscription?.path ?? all.subscription.path,
      connectionParams: own?.subscription?.connectionParams ?? all.subscription.connectionParams,
    },
  };
}
