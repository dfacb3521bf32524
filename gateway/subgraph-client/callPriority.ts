/** In which order calls go to a subgraph that is short of capacity: `primary` is what a first answer waits for; the
 *  others are enrichments by their own priority, and what is deferred is as urgent as a critical one. */
export type CallPriority = 'primary' | 'critical' | 'normal' | 'background';

/** 0 goes first. */
export function rankOf(priority: CallPriority): number {
  return ranks[priority];
}

const ranks: Readonly<Record<CallPriority, number>> = { primary: 0, critical: 1, normal: 2, background: 3 };
