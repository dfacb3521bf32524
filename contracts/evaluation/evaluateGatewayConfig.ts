import { readCacheRules } from '../../gateway/cache/rules/cacheRules.ts';
import { readEnrichmentRules } from '../../gateway/enrichment/enrichmentRules.ts';
import { createFinding, type Finding } from '../finding.ts';
import type { GatewaySettings } from '../gatewaySettings.ts';
import { markUnchanged } from './operationFindings.ts';
import type { ServedGraph } from './servedGraph.ts';

type Section = Parameters<NonNullable<GatewaySettings['locate']>>[0];

interface UnknownName {
  readonly section: Section;
  readonly key: string;
  /** What the graph lacks. */
  readonly reason: string;
}

/** Reports names in the gateways' configuration that the graph does not have. */
export function evaluateGatewayConfig(old: ServedGraph | undefined, next: ServedGraph): readonly Finding[] {
  const known = new Set(old && findUnknownNames(old).map(unknownNameKey));
  return findUnknownNames(next).map((name) => {
    const finding = unknownNameFinding(name, next.gatewaySettings);
    return known.has(unknownNameKey(name)) ? markUnchanged(finding) : finding;
  });
}

function unknownNameKey({ section, key }: UnknownName): string {
  return `${section} ${key}`;
}

function findUnknownNames({ document, apiSchema, gatewaySettings }: ServedGraph): readonly UnknownName[] {
  const { cache, enrichments, waitsForAll } = gatewaySettings;
  const rules = cache.enabled ? cache.rules : {};
  const configured = { ...enrichments, fields: waitsForAll ? {} : enrichments.fields };
  const isEmpty = (section: object): boolean => Object.keys(section).length === 0;
  const unknownRules = isEmpty(rules) ? [] : readCacheRules(document, rules).unknown;
  const unknownFields = isEmpty(configured.fields)
    ? []
    : readEnrichmentRules({ document, apiSchema, configured }).unknown;
  return [
    ...unknownRules.map((name) => ({ section: 'cache.rules', ...name }) as const),
    ...unknownFields.map((name) => ({ section: 'enrichment.fields', ...name }) as const),
  ];
}

function unknownNameFinding({ section, key, reason }: UnknownName, { locate }: GatewaySettings): Finding {
  return createFinding('gateway-config-outdated', {
    severity: 'breaking',
    message: `The configuration of the gateways names ${key} (${section}), but ${reason}: a gateway that starts refuses the supergraph.`,
    coordinate: key,
    location: locate?.(section, key),
  });
}
