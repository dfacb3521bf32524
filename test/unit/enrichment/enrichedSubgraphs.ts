import { Supergraph } from '@apollo/federation-internals';
import { parse } from 'graphql';
import {
  type ConfiguredEnrichments,
  type EnrichmentRulesResult,
  readEnrichmentRules,
} from '../../../gateway/enrichment/enrichmentRules.ts';
import { composeCachedSdl, directiveImports } from '../../harness/cachedSubgraphs.ts';

const federation = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.9"
  import: ["@key", "@shareable", "@external", "@inaccessible", "@composeDirective", "@interfaceObject"]
)`;

/** How a subgraph may come to the directive. `name` is what it is called there. */
export const directiveImportCases = Object.entries(directiveImports).map(([kind, { name, link }]) => ({
  kind,
  name: name.replace('cached', 'enrichment'),
  link: link.replace('@cached', '@enrichment'),
}));

const plainImport = {
  name: 'enrichment',
  link: directiveImports.plain.link.replace('@cached', '@enrichment'),
};

/** A subgraph's SDL with what `@enrichment` needs. */
export function withEnrichment(
  sdl: string,
  { name, link }: { name: string; link: string } = plainImport,
): string {
  return `${federation} ${link} @composeDirective(name: "@${name}")
    enum EnrichmentPriority { CRITICAL NORMAL BACKGROUND }
    directive @${name}(budget: String, priority: EnrichmentPriority = NORMAL) on FIELD_DEFINITION
    ${sdl}`;
}

/** Rules of the supergraph of these subgraphs, by name, whose budget is 100 ms. */
export async function rulesOf(
  subgraphs: Readonly<Record<string, string>>,
  fields: ConfiguredEnrichments['fields'] = {},
): Promise<EnrichmentRulesResult> {
  const sdl = await composeCachedSdl(subgraphs);
  return readEnrichmentRules({
    document: parse(sdl, { noLocation: true }),
    apiSchema: Supergraph.build(sdl).apiSchema().toGraphQLJSSchema(),
    configured: { fields, budget: 100 },
  });
}
