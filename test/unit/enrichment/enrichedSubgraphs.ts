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

/** The ways to import the directive into a subgraph. `name` is the name that it has there. */
export const directiveImportCases = Object.entries(directiveImports).map(([kind, { name, link }]) => ({
  kind,
  name: name.replace('cached', 'enrichment'),
  link: link.replace('@cached', '@enrichment'),
}));

const plainImport = {
  name: 'enrichment',
  link: directiveImports.plain.link.replace('@cached', '@enrichment'),
};

/** The SDL of a subgraph, with the import and definition of `@enrichment`. */
export function withEnrichment(
  sdl: string,
  { name, link }: { name: string; link: string } = plainImport,
): string {
  return `${federation} ${link} @composeDirective(name: "@${name}")
    enum EnrichmentPriority { CRITICAL NORMAL BACKGROUND }
    directive @${name}(budget: String, priority: EnrichmentPriority = NORMAL) on FIELD_DEFINITION
    ${sdl}`;
}

/** The rules of the supergraph that is composed of these subgraphs (SDL by name). The default budget is 100 ms. */
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
