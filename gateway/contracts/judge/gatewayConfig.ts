import { readCacheRules } from '../../cache/rules/cacheRules.ts';
import { readEnrichmentRules } from '../../enrichment/enrichmentRules.ts';
import type { Finding } from '../finding.ts';
import type { Serving } from '../serving.ts';
import { asBefore } from './asBefore.ts';
import type { ServedGraph } from './servedGraph.ts';

type Section = Parameters<NonNullable<Serving['placeOf']>>[0];

interface UnknownName {
  readonly section: Section;
  readonly key: string;
  /** What is not there. */
  readonly absence: string;
}

/** Says what the gateways' configuration names and the graph does not have. */
export function judgeGatewayConfig(old: ServedGraph | undefined, next: ServedGraph): readonly Finding[] {
  const known = new Set(old && unknownNames(old).map(identityOf));
  return unknownNames(next).map((name) => {
    const finding = unknownName(name, next.serving);
    return known.has(identityOf(name)) ? asBefore(finding) : finding;
  });
}

function identityOf({ section, key }: UnknownName): string {
  return `${section} ${key}`;
}

function unknownNames({ document, apiSchema, serving }: ServedGraph): readonly UnknownName[] {
  const { cache, enrichments, waitsForAll } = serving;
  const rulesUnknown = (rules: typeof cache.rules) => readCacheRules(document, rules).unknown;
  const fieldsUnknown = (fields: typeof enrichments.fields) =>
    readEnrichmentRules({ document, apiSchema, configured: { ...enrichments, fields } }).unknown;
  return [
    ...unknownAmong('cache.rules', cache.enabled ? cache.rules : {}, rulesUnknown),
    ...unknownAmong('enrichment.fields', waitsForAll ? {} : enrichments.fields, fieldsUnknown),
  ];
}

/** The gateway's readers tell what is not there, and not by which key: that takes to ask for each alone. */
function unknownAmong<Rule>(
  section: Section,
  rules: Readonly<Record<string, Rule>>,
  unknownOf: (rules: Readonly<Record<string, Rule>>) => readonly string[],
): readonly UnknownName[] {
  if (Object.keys(rules).length === 0 || unknownOf(rules).length === 0) return [];
  return Object.entries(rules).flatMap(([key, rule]) => {
    const [absence] = unknownOf({ [key]: rule });
    return absence === undefined ? [] : [{ section, key, absence }];
  });
}

function unknownName({ section, key, absence }: UnknownName, { placeOf }: Serving): Finding {
  return {
    rule: 'gateway-config-outdated',
    severity: 'breaking',
    message: `The gateways' configuration names ${key} in ${section}, and ${absence}: a gateway that starts refuses the supergraph.`,
    advice: 'Take it out of the configuration before the supergraph is published, or keep it in the graph.',
    coordinate: key,
    place: placeOf?.(section, key),
  };
}
