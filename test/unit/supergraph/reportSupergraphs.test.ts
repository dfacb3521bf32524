import { expect, test } from '@jest/globals';
import pino from 'pino';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { supergraphId } from '../../../gateway/supergraph/loadSupergraph.ts';
import { reportSupergraphs } from '../../../gateway/supergraph/reportSupergraphs.ts';
import type { SupergraphSourceListener } from '../../../gateway/supergraph/sources/supergraphSource.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { SupergraphHolder } from '../../../gateway/supergraph/supergraphHolder.ts';

/** Logs what a source and the loads of its supergraphs report. Returns the messages. */
async function messagesOf(watch: boolean): Promise<readonly string[]> {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line).msg) });
  const holder = new SupergraphHolder({
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
  reportSupergraphs(holder, parseConfig({ supergraph: { file: 'supergraph.graphql', watch } }), log);
  let source: SupergraphSourceListener | undefined;
  await holder.start({
    start: async (listener) => {
      source = listener;
    },
    stop: async () => {},
  });
  source?.onProblem('the file does not exist');
  source?.onSdl('bad zero');
  for (const sdl of ['bad zero', 'one', 'bad two', 'one', 'one', 'bad three', 'four'])
    await holder.submit(sdl);
  source?.onProblem('the file does not exist');
  await holder.close();
  return lines;
}

test('the log says when a supergraph cannot be read or is refused, what clients get if none is in use, and what ends that', async () => {
  expect(await messagesOf(true)).toEqual([
    'The supergraph could not be read from its source. The gateway retries: requests get 503 SUPERGRAPH_UNAVAILABLE until a valid one arrives.',
    'The supergraph can be read from its source again',
    'The new supergraph was refused: requests get 503 SUPERGRAPH_UNAVAILABLE until a valid one arrives.',
    'A new supergraph is in use',
    'The new supergraph was refused',
    'The refused supergraph was replaced by the one in use',
    'The new supergraph was refused',
    'A new supergraph is in use',
    'The supergraph could not be read from its source. The gateway retries.',
  ]);
});

test('the log does not say that the gateway waits for a supergraph when supergraph.watch is false, which ends it', async () => {
  expect((await messagesOf(false)).slice(0, 3)).toEqual([
    'The supergraph could not be read from its source',
    'The supergraph can be read from its source again',
    'The new supergraph was refused',
  ]);
});
