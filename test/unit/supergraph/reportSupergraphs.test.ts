import { expect, test } from '@jest/globals';
import pino from 'pino';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { supergraphId } from '../../../gateway/supergraph/loadSupergraph.ts';
import { reportSupergraphs } from '../../../gateway/supergraph/reportSupergraphs.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { createSupergraphHolder } from '../../../gateway/supergraph/supergraphHolder.ts';

test('the log says that a supergraph is refused, what that means without one in use, and that it was replaced by the one in use or by a new one', async () => {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line).msg) });
  const holder = createSupergraphHolder({
    load: async (sdl) => {
      if (sdl.startsWith('bad')) throw new Error(`${sdl} is refused`);
      const planner = { plan: async () => ({ kind: 'QueryPlan' as const }), close: async () => {} };
      return {
        id: supergraphId(sdl),
        sdl,
        subgraphs: new Map(),
        overrides: new Map(),
        planner,
      } as Partial<Supergraph> as Supergraph;
    },
  });
  reportSupergraphs(holder, parseConfig({ supergraph: { file: 'supergraph.graphql' } }), log);

  for (const sdl of ['bad zero', 'one', 'bad two', 'one', 'one', 'bad three', 'four'])
    await holder.submit(sdl);
  await holder.close();

  expect(lines).toEqual([
    'The new supergraph was refused: requests get 503 SUPERGRAPH_UNAVAILABLE until a valid one arrives',
    'A new supergraph is in use',
    'The new supergraph was refused',
    'The refused supergraph was replaced by the one in use',
    'The new supergraph was refused',
    'A new supergraph is in use',
  ]);
});
