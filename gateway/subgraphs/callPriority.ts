/** In which order calls go to a subgraph that is short of capacity: `primary` is what a first answer waits for; the
 *  others are enrichments by their own priority, and what is deferred is as urgent as a critical one. */
export type CallPriority = 'primary' | 'critical' | 'normal' | 'background';

/** How urgent a whole request is, as its client says. */
export type RequestPriority = 'critical' | 'normal' | 'background';

/** The order of calls of different requests: by what they are of their request, then by how urgent that is. 0 goes
 *  first. */
export function callRankOf(priority: CallPriority, requestPriority: RequestPriority): number {
  return ranks[priority] * requestPriorities + requestRanks[requestPriority];
}

/** The priority that goes first. */
export function mostUrgent(one: CallPriority, other: CallPriority): CallPriority {
  return ranks[one] <= ranks[other] ? one : other;
}

/** The same for requests. */
export function mostUrgentRequest(one: RequestPriority, other: RequestPriority): RequestPriority {
  return requestRanks[one] <= requestRanks[other] ? one : other;
}

const ranks: Readonly<Record<CallPriority, number>> = { primary: 0, critical: 1, normal: 2, background: 3 };
const requestRanks: Readonly<Record<RequestPriority, number>> = { critical: 0, normal: 1, background: 2 };
const requestPriorities = 3;
