import type { CallLimits } from '../../../../gateway/subgraphs/policies/callLimits.ts';
import type { CallPriority } from '../../../../gateway/subgraphs/policies/callPriority.ts';
import {
  CallQueue,
  type CallQueueObserver,
  type DropReason,
  type QueuedCall,
} from '../../../../gateway/subgraphs/policies/callQueue.ts';

export const unbound: CallLimits = { total: 100, primary: 100, deferred: 100, queued: 100 };

interface Urgency {
  readonly priority: CallPriority;
  readonly rank: number;
  readonly earliestDeadline: number;
  readonly latestDeadline?: number;
  readonly isDeferred: boolean;
}

export class TestCall implements QueuedCall {
  readonly name: string;
  state: 'new' | 'under way' | 'dropped' | 'over' = 'new';
  urgency: Urgency;
  readonly #log: string[];

  constructor(name: string, urgency: Urgency, log: string[]) {
    this.name = name;
    this.urgency = urgency;
    this.#log = log;
  }

  get priority(): CallPriority {
    return this.urgency.priority;
  }

  get rank(): number {
    return this.urgency.rank;
  }

  get earliestDeadline(): number {
    return this.urgency.earliestDeadline;
  }

  get latestDeadline(): number {
    return this.urgency.latestDeadline ?? Number.POSITIVE_INFINITY;
  }

  get isDeferred(): boolean {
    return this.urgency.isDeferred;
  }

  onTurn(): void {
    this.state = 'under way';
    this.#log.push(this.name);
  }

  onDrop(reason: DropReason): void {
    this.state = 'dropped';
    this.#log.push(`${this.name} dropped: ${reason}`);
  }
}

/** A queue whose calls write their names into `log` when they start, and why they are dropped. */
export function openQueue(
  limits: Partial<CallLimits> = {},
  observer?: CallQueueObserver,
  queueTimeMs?: number,
) {
  const log: string[] = [];
  const calls = new Map<string, TestCall>();
  const clock = { now: 0, utilization: 0 };
  const queue = new CallQueue({
    name: 'reviews',
    limits: { ...unbound, ...limits },
    observer,
    queueTimeMs,
    now: () => clock.now,
    readUtilization: () => clock.utilization,
  });
  const enter = (name: string, urgency: Partial<Urgency> = {}): TestCall => {
    const rank = urgency.rank ?? 0;
    const call = new TestCall(
      name,
      { priority: 'primary', rank, earliestDeadline: 1_000, isDeferred: rank > 0, ...urgency },
      log,
    );
    calls.set(name, call);
    if (queue.tryStart(call)) call.onTurn();
    return call;
  };
  const end = async (call: TestCall): Promise<void> => {
    call.state = 'over';
    queue.release(call.isDeferred);
    await null;
  };
  return { queue, calls, log, clock, enter, end };
}
