import { generateEnrichments } from './generateEnrichments.ts';
import { type RunningGraph, startGraph } from './graphs/framework/startGraph.ts';

/** Starts a graph with enrichments that a seed chooses for its schema; without any where it has no field for one. */
export async function startEnrichedGraph(
  graph: Parameters<typeof startGraph>[0],
  seed: number,
): Promise<RunningGraph> {
  const plain = await startGraph(graph);
  const enrichment = generateEnrichments(plain.monolith.schema, seed);
  await plain[Symbol.asyncDispose]();
  return startGraph(graph, enrichment === undefined ? {} : { enrichment });
}
