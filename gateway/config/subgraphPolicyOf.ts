import type { GatewayConfig } from './schema.ts';

type AllSubgraphs = GatewayConfig['subgraphs']['all'];

/** The effective options of one subgraph: its own section merged over `subgraphs.all`. */
export interface SubgraphPolicy extends AllSubgraphs {
  /** Address of the subgraph; `undefined` for the address in the supergraph. */
  readonly url: string | undefined;
  /** Equal endpoints, which replace `url`. */
  readonly urls: readonly string[];
}

/** The effective options of a subgraph by its name in the supergraph. */
export function subgraphPolicyOf(config: Pick<GatewayConfig, 'subgraphs'>, name: string): SubgraphPolicy {
  const { all } = config.subgraphs;
  const own = name !== 'all' && Object.hasOwn(config.subgraphs, name) ? config.subgraphs[name] : undefined;
  return {
    url: own?.url,
    urls: own?.urls ?? [],
    timeouts: override(all.timeouts, own?.timeouts),
    retry: override(all.retry, own?.retry),
    breaker: override(all.breaker, own?.breaker),
    concurrency: override(all.concurrency, own?.concurrency),
    hedge: override(all.hedge, own?.hedge),
    headers: override(all.headers, own?.headers),
    tls: override(all.tls, own?.tls),
    signing: override(all.signing, own?.signing),
    connections: own?.connections ?? all.connections,
    maxResponseSize: own?.maxResponseSize ?? all.maxResponseSize,
    maxConnectionAge: own?.maxConnectionAge ?? all.maxConnectionAge,
    http2: own?.http2 ?? all.http2,
    subscription: override(all.subscription, own?.subscription),
  };
}

/** The URLs by subgraph that the configuration sets instead of those in the supergraph. */
export function configuredUrlsOf(config: GatewayConfig): ReadonlyMap<string, string> {
  return new Map(
    Object.keys(config.subgraphs).flatMap((name) => {
      const { url, urls } = subgraphPolicyOf(config, name);
      const first = url ?? urls[0];
      return first === undefined ? [] : [[name, first] as const];
    }),
  );
}

/** `all` with the options that are set in `own`. */
function override<Section extends object>(
  all: Section,
  own: { readonly [Key in keyof Section]?: Section[Key] | undefined } | undefined,
): Section {
  if (own === undefined) return all;
  const set = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...all, ...Object.fromEntries(set) };
}
