import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';
import { TransientMap } from '../../sharing/transientMap.ts';

/** A request that learns the latencies of its pending enrichments from an equal job. */
export interface JobLatencyListener {
  /** The enrichment of this delivery group is ready. */
  onReady(group: number): void;
  /** No execution of this process continues the job. */
  onAbandoned(): void;
}

interface EqualJobEntry {
  /** Executions that continue the job. */
  executionCount: number;
  readonly listeners: Set<JobLatencyListener>;
}

/** Equal jobs of this process, of which one is executed. The others learn its latencies: otherwise many equal responses
 *  that miss their budget would count as one. */
export class EqualJobs {
  readonly #entries = new TransientMap<string, EqualJobEntry>();

  /** An execution continues this job. */
  start(jobId: string): void {
    const createEntry = (): EqualJobEntry => ({ executionCount: 0, listeners: new Set() });
    getOrInsertComputed(this.#entries, jobId, createEntry).executionCount += 1;
  }

  reportReady(jobId: string, group: number): void {
    for (const listener of this.#entries.get(jobId)?.listeners ?? []) listener.onReady(group);
  }

  /** An execution has ended its job. `listener`: learns the remaining latencies from equal jobs. */
  end(jobId: string, listener?: JobLatencyListener): void {
    const entry = this.#entries.get(jobId);
    if (entry === undefined) return;
    if (listener !== undefined) entry.listeners.add(listener);
    entry.executionCount -= 1;
    if (entry.executionCount > 0) return;
    this.#entries.delete(jobId);
    for (const waiting of entry.listeners) waiting.onAbandoned();
  }
}
