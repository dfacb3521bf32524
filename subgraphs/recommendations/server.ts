import { runSubgraph } from '../shared/runSubgraph.ts';
import { readTypeDefs, type SubgraphDefinition } from '../shared/subgraphDefinition.ts';
import { createStore, type RecommendationsStore } from './data.ts';
import { resolvers } from './resolvers.ts';

export const recommendations: SubgraphDefinition<RecommendationsStore> = {
  name: 'recommendations',
  defaultPort: 4105,
  typeDefs: readTypeDefs(new URL('./schema.graphql', import.meta.url)),
  resolvers,
  createStore,
  demoFaults: 'Product.recommended=latency:1500',
};

if (import.meta.main) await runSubgraph(recommendations);
