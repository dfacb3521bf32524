import { runSubgraph } from '../shared/runSubgraph.ts';
import { readTypeDefs, type SubgraphDefinition } from '../shared/subgraphDefinition.ts';
import { createStore, type InventoryStore } from './data.ts';
import { resolvers } from './resolvers.ts';

export const inventory: SubgraphDefinition<InventoryStore> = {
  name: 'inventory',
  defaultPort: 4103,
  typeDefs: readTypeDefs(new URL('./schema.graphql', import.meta.url)),
  resolvers,
  createStore,
};

if (import.meta.main) await runSubgraph(inventory);
