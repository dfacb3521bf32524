import type { CallPriority } from './callPriority.ts';

/** What happens to calls that wait for their turn, for those who count. Of the others nothing is told. */
export interface CallQueueObserver {
  onWait(subgraph: string): void;
  onWaitEnd(end: WaitEnd): void;
}

export interface WaitEnd {
  readonly subgraph: string;
  readonly priority: CallPriority;
  /** `dropped`: there was no room. `left`: nobody waits for it any more, or there is no time left. */
  readonly outcome: 'sent' | 'dropped' | 'left';
  readonly waitedMs: number;
}
