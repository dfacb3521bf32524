import { buildClientSchema, getIntrospectionQuery, type IntrospectionQuery } from 'graphql';
import type { GatewayOptions } from '../../../../gateway/gateway.ts';
import { type InlineGateway, type SubgraphCall, startInlineGateway } from '../../../harness/inlineGateway.ts';
import type { Graph } from './graph.ts';
import { GraphModel } from './graphModel.ts';
import { GraphMonolith } from './graphMonolith.ts';
import { hash } from './hash.ts';
import { faultsHeader, trialHeader } from './headers.ts';
import { createSubgraph } from './subgraphResolvers.ts';

export interface RunningGraph extends AsyncDisposable {
  readonly graph: Graph;
  readonly gateway: InlineGateway;
  readonly monolith: GraphMonolith;
  readonly model: GraphModel;
}

/** Delays responses by up to three turns of the event loop, equal ones by equal times: which of them the gateway gets in one
 *  turn depends on the operation. */
export function turnsByText({ query, variables }: SubgraphCall): number {
  return hash(`${query} ${JSON.stringify(variables)}`) % 4;
}

/** Starts the graph's subgraphs with a gateway, and its monolith. The monolith has the API schema of the gateway. */
export async function startGraph(
  graph: Graph,
  config: Partial<GatewayOptions> = {},
  model = new GraphModel(graph),
  others: Pick<
    Parameters<typeof startInlineGateway>[0],
    'dependencies' | 'transformSupergraph' | 'turnsOf'
  > = {},
): Promise<RunningGraph> {
  const gateway = await startInlineGateway({
    ...others,
    subgraphs: graph.subgraphs.map(({ name }) => createSubgraph(model, name)),
    config: {
      security: { exposeSubgraphErrors: true, introspection: true },
      limits: { aliases: 5_000, directives: 5_000, deferredFragments: 1_000, recursiveSelections: 20_000 },
      subgraphs: { all: { headers: { forward: [faultsHeader, trialHeader] } } },
      ...config,
    },
  });
  try {
    const { body } = await gateway.execute(getIntrospectionQuery({ oneOf: true }));
    const introspection = body.data as IntrospectionQuery;
    const monolith = new GraphMonolith(model, () => buildClientSchema(introspection));
    return { graph, gateway, monolith, model, [Symbol.asyncDispose]: () => gateway.close() };
  } catch (error) {
    await gateway.close();
    throw error;
  }
}
