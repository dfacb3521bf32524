import { runSubgraph } from '../shared/runSubgraph.ts';
import { readTypeDefs, type SubgraphDefinition } from '../shared/subgraphDefinition.ts';
import { type AccountsStore, createStore } from './data.ts';
import { resolvers } from './resolvers.ts';

export const accounts: SubgraphDefinition<AccountsStore> = {
  name: 'accounts',
  defaultPort: 4101,
  typeDefs: readTypeDefs(new URL('./schema.graphql', import.meta.url)),
  resolvers,
  createStore,
};

if (import.meta.main) await runSubgraph(accounts);
