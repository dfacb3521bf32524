import type { Target } from './target.ts';
import { pathFromTargets } from './target.ts';

function floorTarget(name: string, merged: boolean): Target {
  return {
    name,
    role: 'floor',
    program: ({ port, subgraphUrls }) => ({
      args: [pathFromTargets('servers/floor.ts')],
      env: { PORT: String(port), SUBGRAPHS: JSON.stringify(subgraphUrls), MERGED: merged ? '1' : '0' },
      path: '/graphql',
    }),
  };
}

export const floor = floorTarget('floor', false);
export const floorMerged = floorTarget('floor-merged', true);
