import { composeOnce, type GivenSubgraph } from './shared/compositions.ts';

export const federationLink =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.8", import: ["@key", "@requires", "@external", "@shareable", "@inaccessible", "@override", "@interfaceObject", "@context", "@fromContext", "@requiresScopes", "@authenticated", "@policy"])\n';

/** Composes the supergraph SDL of valid subgraphs. */
export async function composeSubgraphs(subgraphs: readonly GivenSubgraph[]): Promise<string> {
  const result = await composeOnce(subgraphs);
  if ('errors' in result) throw new Error(result.errors.map(({ message }) => message).join('\n'));
  return result.sdl;
}

/** A subgraph with `federationLink` that is only composed. */
export function federatedSubgraph(name: string, sdl: string): GivenSubgraph {
  return { name, url: `http://${name}.test`, sdl: `${federationLink}${sdl}` };
}
