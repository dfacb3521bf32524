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
  const rulesUnknown = (rules: typeof cache.rules) => readCacheRules(document, rules).unknown;
  const fieldsUnknown = (fields: typeof enrichments.fields) =>
    readEnrichmentRules({ document, apiSchema, configured: { ...enrichments, fields } }).unknownCoordinates;
  return [
    ...findUnknownKeys('cache.rules', cache.enabled ? cache.rules : {}, rulesUnknown),
    ...findUnknownKeys('enrichment.fields', waitsForAll ? {} : enrichments.fields, fieldsUnknown),
  ];
}

/** The gateway's readers report which names are unknown but not by which key, so each key is read alone. */
function findUnknownKeys<Rule>(
  section: Section,
  rules: Readonly<Record<string, Rule>>,
  unknownOf: (rules: Readonly<Record<string, Rule>>) => readonly string[],
): readonly UnknownName[] {
  if (Object.keys(rules).length === 0 || unknownOf(rules).length === 0) return [];
  return Object.entries(rules).flatMap(([key, rule]) => {
    const [reason] = unknownOf({ [key]: rule });
    return reason === undefined ? [] : [{ section, key, reason }];
  });
}

function unknownNameFinding({ section, key, reason }: UnknownName, { locate }: GatewaySettings): Finding {
  return createFinding('gateway-config-outdated', {
    severity: 'breaking',
    message: `The configuration of the gateways names ${key} (${section}), but ${reason}: a gateway that starts refuses the supergraph.`,
    coordinate: key,
    location: locate?.(section, key),
  });
}
