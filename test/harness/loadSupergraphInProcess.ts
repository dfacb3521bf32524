import { createSnapshot } from '../../gateway/supergraph/loadSupergraph.ts';
import { messageOf } from '../../gateway/supergraph/messageOf.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../../gateway/supergraph/supergraphRefusedError.ts';
import { createInProcessPlanner } from './inProcessPlanner.ts';

/** `loadSupergraph` with a planner that has no thread of its own. */
export async function loadSupergraphInProcess(sdl: string): Promise<Supergraph> {
  return createSnapshot(planFor(sdl), { sdl });
}

function planFor(sdl: string) {
  try {
    return createInProcessPlanner(sdl);
  } catch (error) {
    throw new SupergraphRefusedError(messageOf(error), { cause: error });
  }
}
