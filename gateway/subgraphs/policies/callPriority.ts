/** How urgent a call is within its request: the order in which calls go to a subgraph that is short of capacity.
 *  `primary` calls hold up the first response. The others are enrichments, by their own priority; a call for a deferred
 *  fragment is as urgent as a critical enrichment. */
export type CallPriority = (typeof callPriorities)[number];

export const callPriorities = ['primary', 'critical', 'normal', 'background'] as const;

/** How urgent a whole request is, by its `tributary-priority` header. */
export type RequestPriority = 'critical' | 'normal' | 'background';

/** The rank of a call among calls of other requests: first by its priority within its request, then by the priority of
 *  the request. Rank 0 goes first. */
export function callRankOf(priority: CallPriority, requestPriority: RequestPriority): number {
  return ranks[priority] * requestPriorityCount + requestRanks[requestPriority];
}

export function higherPriority(a: CallPriority, b: CallPriority): CallPriority {
  return ranks[a] <= ranks[b] ? a : b;
}

export function higherRequestPriority(a: RequestPriority, b: RequestPriority): RequestPriority {
  return requestRanks[a] <= requestRanks[b] ? a : b;
}

const ranks: Readonly<Record<CallPriority, number>> = { primary: 0, critical: 1, normal: 2, background: 3 };
const requestRanks: Readonly<Record<RequestPriority, number>> = { critical: 0, normal: 1, background: 2 };
const requestPriorityCount = 3;

/** Ranks are smaller than this. */
export const rankCount = 4 * requestPriorityCount;

/** The priority of a fetch that other requests may join: the most urgent priority of all of them. */
export class RaisablePriority {
  #current: CallPriority;
  readonly #listeners: ((priority: CallPriority) => void)[] = [];

  constructor(priority: CallPriority) {
    this.#current = priority;
  }

  get current(): CallPriority {
    return this.#current;
  }

  /** A request of this priority joins. */
  raise(priority: CallPriority): void {
    const raised = higherPriority(this.#current, priority);
    if (raised === this.#current) return;
    this.#current = raised;
    for (const listener of this.#listeners) listener(raised);
  }

  /** Calls `listener` whenever the priority becomes more urgent. */
  onRaise(listener: (priority: CallPriority) => void): void {
    this.#listeners.push(listener);
  }
}
