import type { ConfiguredRules } from '../gateway/cache/rules/cacheRules.ts';
import { parseConfig } from '../gateway/config/parseConfig.ts';
import type { GatewayConfig } from '../gateway/config/schema.ts';
import type { ConfiguredEnrichments } from '../gateway/enrichment/enrichmentRules.ts';
import { type OperationLimits, operationLimitNames } from '../gateway/operation/operationLimits.ts';
import type { FileLocation } from './finding.ts';

/** The limits of a configuration that do not depend on what a request sends besides its operation. */
export function operationLimitsOf({ limits }: Pick<GatewayConfig, 'limits'>): OperationLimits {
  return Object.fromEntries(operationLimitNames.map((name) => [name, limits[name]])) as Record<
    keyof OperationLimits,
    number
  >;
}

/** What is known of the gateways that serve a graph. */
export interface GatewaySettings {
  /** `cache.rules` of their configuration. No rule applies when `cache.enabled` is false. */
  readonly cache: { readonly enabled: boolean; readonly rules: ConfiguredRules };
  /** The section `enrichment` of their configuration. */
  readonly enrichments: ConfiguredEnrichments;
  /** First responses wait for every field: `enrichment.mode` is `never` or `enrichment.shadow` is on. */
  readonly waitsForAll: boolean;
  /** `planning.memory` of their configuration: the maximum heap of a planner thread in bytes. Undefined: the default. */
  readonly planningMemory?: number | undefined;
  /** `limits` of their configuration, as far as they are about the text of an operation. */
  readonly limits: OperationLimits;
  /** `limits.cost` of their configuration: the maximum estimated cost of an operation, 0 for none. */
  readonly cost: GatewayConfig['limits']['cost'];
  /** `limits.rate.cost` of their configuration: the maximum cost of one client in a window, 0 for none. An operation that
   *  costs more is never answered. */
  readonly rateCost: number;
  /** Location of a rule in the configuration file. Undefined when no configuration is known. */
  readonly locate?: ((section: 'cache.rules' | 'enrichment.fields', key: string) => FileLocation) | undefined;
  /** Milliseconds that one fetch takes. Undefined: latencies are not checked. */
  readonly stepLatencyMs?: number | undefined;
}

const defaultConfig = parseConfig({ supergraph: { file: 'any' } });

/** Settings when nothing is known of the gateways: only what the supergraph says applies. */
export const defaultGatewaySettings: GatewaySettings = {
  cache: { enabled: true, rules: {} },
  enrichments: { fields: {}, budget: 0 },
  waitsForAll: false,
  limits: operationLimitsOf(defaultConfig),
  cost: defaultConfig.limits.cost,
  rateCost: defaultConfig.limits.rate.cost,
};
