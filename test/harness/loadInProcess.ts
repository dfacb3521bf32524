import { snapshotOf } from '../../gateway/supergraph/loadSupergraph.ts';
import { messageOf } from '../../gateway/supergraph/messageOf.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../../gateway/supergraph/supergraphRefusedError.ts';
import { plannerInProcess } from './plannerInProcess.ts';

/** `loadSupergraph` with a planner that has no thread of its own. */
export async function loadInProcess(sdl: string): Promise<Supergraph> {
  return snapshotOf(planFor(sdl), { sdl });
}

function planFor(sdl: string) {
  try {
    return plannerInProcess(sdl);
  } catch (error) {
    throw new SupergraphRefusedError(messageOf(error), { cause: error });
  }
}
