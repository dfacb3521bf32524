import {
  type StartPlannerThread,
  startPlannerThread as startThread,
} from '../../../gateway/planning/plannerThread.ts';
import { planInProcess } from '../inProcessPlanner.ts';

let commandsRunning = 0;

/** What the gateway's code gets as `startPlannerThread` in tests (`test/runner/moduleHooks.ts`): a thread, but for
 *  commands that run in this process. A command loads several supergraphs, and each thread needs half a second of CPU
 *  time to load its modules. */
export const startPlannerThread: StartPlannerThread = (options, signal) =>
  commandsRunning > 0 ? planInProcess(options, signal) : startThread(options, signal);

/** Runs a command that plans without threads. */
export async function withoutPlannerThreads<Result>(command: () => Promise<Result>): Promise<Result> {
  commandsRunning += 1;
  try {
    return await command();
  } finally {
    commandsRunning -= 1;
  }
}
