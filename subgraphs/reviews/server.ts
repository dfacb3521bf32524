import { runSubgraph } from '../shared/runSubgraph.ts';
import { readTypeDefs, type SubgraphDefinition } from '../shared/subgraphDefinition.ts';
import { createStore, type ReviewsStore } from './data.ts';
import { resolvers } from './resolvers.ts';

export const reviews: SubgraphDefinition<ReviewsStore> = {
  name: 'reviews',
  defaultPort: 4104,
  typeDefs: readTypeDefs(new URL('./schema.graphql', import.meta.url)),
  resolvers,
  createStore,
};

if (import.meta.main) await runSubgraph(reviews);
