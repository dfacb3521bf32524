import { writeFileSync } from 'node:fs';
import { composeSupergraph, type SubgraphInput } from '../gateway/supergraph/composeSupergraph.ts';

/** Composes subgraphs and writes their supergraph to a file, whose path it returns.
 *  @throws {Error} when the subgraphs do not compose. */
export async function writeSupergraph(file: string, subgraphs: readonly SubgraphInput[]): Promise<string> {
  const composed = await composeSupergraph(subgraphs);
  if ('errors' in composed) throw new Error(JSON.stringify(composed.errors));
  writeFileSync(file, composed.sdl);
  return file;
}
