import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from './target.ts';
import { pathFromTargets } from './target.ts';

export const tributary: Target = {
  name: 'tributary',
  role: 'subject',
  program: ({ port, supergraphFile, sharing, directory }) => {
    const config = join(directory, 'tributary.yaml');
    writeFileSync(
      config,
      // JSON is valid YAML.
      JSON.stringify({
        listen: { host: '127.0.0.1', port },
        admin: { host: '127.0.0.1', port: 0 },
        supergraph: { file: supergraphFile },
        // Without sharing, each client of a subgraph that takes 2 s occupies a connection: 100 at a time.
        ...(sharing ? {} : { batching: { acrossRequests: false }, subgraphs: { all: { connections: 256 } } }),
      }),
    );
    return {
      args: [pathFromTargets('../../gateway/cli.ts'), 'serve', '--config', config],
      env: {},
      path: '/graphql',
    };
  },
};
