import type { Target } from './target.ts';
import { pathFromTargets } from './target.ts';

export const apolloGateway: Target = {
  name: 'apollo-gateway',
  role: 'peer',
  program: ({ port, supergraphFile, forwardsAuthorization = false }) => ({
    args: [pathFromTargets('servers/apolloGateway.ts')],
    env: {
      PORT: String(port),
      SUPERGRAPH: supergraphFile,
      FORWARD: forwardsAuthorization ? '1' : '0',
      NODE_ENV: 'production',
    },
    path: '/',
  }),
};
