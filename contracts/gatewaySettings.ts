import type { ConfiguredRules } from '../gateway/cache/rules/cacheRules.ts';
import type { ConfiguredEnrichments } from '../gateway/enrichment/enrichmentRules.ts';
import type { FileLocation } from './finding.ts';

/** What is known of the gateways that serve a graph, besides the graph. */
export interface GatewaySettings {
  /** `cache.rules` of their configuration; none count where `cache.enabled` is false. */
  readonly cache: { readonly enabled: boolean; readonly rules: ConfiguredRules };
  /** Of the section `enrichment`. */
  readonly enrichments: ConfiguredEnrichments;
  /** `enrichment.mode` is `never` or `enrichment.shadow` is on: first answers wait for everything. */
  readonly waitsForAll: boolean;
  /** Where a rule of the configuration stands, by its section and key; `undefined` where no configuration is known. */
  readonly locate?: ((section: 'cache.rules' | 'enrichment.fields', key: string) => FileLocation) | undefined;
  /** Milliseconds that a fetch takes; `undefined` where nobody says, and latencies are not compared then. */
  readonly stepLatencyMs?: number | undefined;
}

/** Where nobody says anything about the gateways: what the supergraph says is all there is. */
export const defaultGatewaySettings: GatewaySettings = {
  cache: { enabled: true, rules: {} },
  enrichments: { fields: {}, budget: 0 },
  waitsForAll: false,
};
