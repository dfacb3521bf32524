import { setImmediate } from 'node:timers/promises';
import { describeLoadError, describePlanningLimit } from '../../gateway/planning/apolloPlanner.ts';
import type {
  PlannerThread,
  PlannerThreadOptions,
  PlanOutcome,
  StartPlannerThread,
  ThreadLossReason,
} from '../../gateway/planning/plannerThread.ts';
import { sharedPlanner } from './shared/planners.ts';

/** Plans in the caller's thread, for tests whose subject is not the thread: starting a thread takes four times as
 *  long as the planner itself, which suites with the same supergraph share here. Limits of time and memory do not
 *  apply. @throws {Error} like `startPlannerThread`. */
export const planInProcess: StartPlannerThread = async (options, signal): Promise<PlannerThread> => {
  signal?.throwIfAborted();
  const planner = load(options);
  let isAlive = true;
  const exited = Promise.withResolvers<ThreadLossReason>();
  const { apiSchemaSdl, subgraphs, overrides, names } = planner;
  return {
    apiSchemaSdl,
    subgraphs,
    overrides,
    names,
    isAlive: () => isAlive,
    exited: exited.promise,
    plan: async (request): Promise<PlanOutcome> => {
      // Asynchronous like a thread: never within the caller's turn of the event loop.
      await setImmediate();
      if (!isAlive) return { kind: 'lost', reason: { kind: 'ended' } };
      try {
        return { kind: 'planned', plan: planner.plan(request) };
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        return { kind: 'failed', message, exceeded: describePlanningLimit(error) };
      }
    },
    terminate: async () => {
      isAlive = false;
      exited.resolve({ kind: 'ended' });
    },
  };
};

function load(options: PlannerThreadOptions) {
  try {
    return sharedPlanner(options);
  } catch (error) {
    throw new Error(describeLoadError(error), { cause: error });
  }
}
