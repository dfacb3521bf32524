import type { Target } from './target.ts';
import { pathFromTargets } from './target.ts';

export const apolloGateway: Target = {
  name: 'apollo-gateway',
  role: 'peer',
  program: ({ port, supergraphFile }) => ({
    args: [pathFromTargets('servers/apolloGateway.ts')],
    env: { PORT: String(port), SUPERGRAPH: supergraphFile, NODE_ENV: 'production' },
    path: '/',
  }),
};
