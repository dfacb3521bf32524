import type { SupergraphTools } from '../../contracts/graph/composeGraph.ts';
import { parseConfig } from '../config/parseConfig.ts';
import { toPlanningLimits } from '../planning/toPlanningLimits.ts';
import { composeInThread } from '../supergraph/composeInThread.ts';
import { loadSupergraph } from '../supergraph/loadSupergraph.ts';

/** A check may wait longer than a client: whether an operation can be planned must not depend on how busy the machine
 *  that checks is. The rest of the operations waits for a slow one, because another thread would load the whole supergraph
 *  for them, which takes about as long as planning them. */
const planning = {
  ...toPlanningLimits(parseConfig({ supergraph: { file: 'composed' } }).planning),
  timeoutMs: 30_000,
  spareAfterMs: 5_000,
};

/** This gateway's composer and planner, for the contract checker. */
export const supergraphTools: SupergraphTools = {
  compose: composeInThread,
  load: (sdl, memoryBytes = planning.memoryBytes) =>
    loadSupergraph({ sdl, planning: { ...planning, memoryBytes } }),
};
