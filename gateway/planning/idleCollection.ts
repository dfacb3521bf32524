import { collectGarbage } from '../memory/collectGarbage.ts';
import { systemTimers, type Timers } from '../time/timers.ts';

/** Loading a supergraph leaves nearly as much garbage as the planner itself takes. */
const afterLoadingMs = 1_000;
const afterPlanMs = 60_000;

/** Collects the heap of this thread when it has had no operation to plan for some time. V8 collects a heap that grows, which
 *  that of an idle thread does not, and `tributary serve` switches off what V8 does for idle heaps, because the main thread
 *  needs it off (`cli/idleHeap.ts`).
 *
 *  @returns a function to be called for each operation. An operation that arrives during a collection waits for it: 0.1 s for
 *    a small supergraph, 0.35 s for one with 1,000 types. */
export function collectWhenIdle(
  collect: () => void = () => collectGarbage('last-resort'),
  timers: Timers = systemTimers,
): () => void {
  let idleMs = afterLoadingMs;
  const wait = (): (() => void) =>
    timers.after(idleMs, () => {
      idleMs = afterPlanMs;
      collect();
    });
  let cancel = wait();
  return () => {
    cancel();
    cancel = wait();
  };
}
