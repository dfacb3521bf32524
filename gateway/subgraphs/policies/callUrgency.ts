import type { SubgraphRequest } from '../subgraphClient.ts';
import { type CallPriority, callRankOf, type RequestPriority } from './callPriority.ts';

/** How urgently one request waits for a call. */
export interface CallUrgency {
  readonly priority: CallPriority;
  readonly requestPriority: RequestPriority;
  /** Computed from both priorities: smaller goes first; among equal ranks, the earliest deadline goes first. */
  readonly rank: number;
  readonly earliestDeadline: number;
  readonly isDeferred: boolean;
}

export function urgencyOf(request: SubgraphRequest): CallUrgency {
  const { priority, requestPriority = 'normal', deadline, earliestDeadline = deadline, isDeferred } = request;
  const rank = callRankOf(priority, requestPriority);
  return { priority, requestPriority, rank, earliestDeadline, isDeferred };
}

export function raiseUrgency(urgency: CallUrgency, priority: CallPriority): CallUrgency {
  const rank = callRankOf(priority, urgency.requestPriority);
  if (rank >= urgency.rank) return urgency;
  return { ...urgency, priority, rank, isDeferred: urgency.isDeferred && priority !== 'primary' };
}

/** As urgent as the more urgent of the two; deferred only if both are. */
export function combineUrgencies(a: CallUrgency, b: CallUrgency): CallUrgency {
  const isFirst = a.rank < b.rank || (a.rank === b.rank && a.earliestDeadline <= b.earliestDeadline);
  const [first, second] = isFirst ? [a, b] : [b, a];
  return first.isDeferred && !second.isDeferred ? { ...first, isDeferred: false } : first;
}
