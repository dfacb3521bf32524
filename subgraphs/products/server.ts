import { runSubgraph } from '../shared/runSubgraph.ts';
import { readTypeDefs, type SubgraphDefinition } from '../shared/subgraphDefinition.ts';
import { createStore, type ProductsStore } from './data.ts';
import { resolvers } from './resolvers.ts';

export const products: SubgraphDefinition<ProductsStore> = {
  name: 'products',
  defaultPort: 4102,
  typeDefs: readTypeDefs(new URL('./schema.graphql', import.meta.url)),
  resolvers,
  createStore,
};

if (import.meta.main) await runSubgraph(products);
