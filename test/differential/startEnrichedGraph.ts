import { buildClientSchema, type GraphQLSchema, introspectionFromSchema } from 'graphql';
import { inlineFederationLink } from '../harness/inlineGateway.ts';
import { loadSupergraphInProcess } from '../harness/loadSupergraphInProcess.ts';
import { composeOnce } from '../harness/shared/compositions.ts';
import { generateEnrichments } from './generateEnrichments.ts';
import { type RunningGraph, startGraph, turnsByText } from './graphs/framework/startGraph.ts';

/** Starts a graph with enrichments that a seed chooses for its schema; without any where it has no field for one. */
export async function startEnrichedGraph(
  graph: Parameters<typeof startGraph>[0],
  seed: number,
): Promise<RunningGraph> {
  const enrichment = generateEnrichments(await apiSchemaOf(graph), seed);
  return startGraph(graph, enrichment === undefined ? {} : { enrichment }, undefined, {
    turnsOf: turnsByText,
  });
}

/** The schema that clients of the graph see. */
async function apiSchemaOf({ subgraphs }: Parameters<typeof startGraph>[0]): Promise<GraphQLSchema> {
  const composed = await composeOnce(
    subgraphs.map(({ name, sdl, link = inlineFederationLink }) => ({
      name,
      sdl: link + sdl,
      url: `http://127.0.0.1:1/${name}`,
    })),
  );
  if ('errors' in composed) throw new Error(composed.errors.map(({ message }) => message).join('\n'));
  const { apiSchema, planner } = await loadSupergraphInProcess(composed.sdl);
  await planner.close();
  return buildClientSchema(introspectionFromSchema(apiSchema));
}
