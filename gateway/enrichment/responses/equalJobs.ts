/** A first answer that waits to learn how long its rest took. */
export interface JobLatencyListener {
  /** The enrichment of this delivery group is ready. */
  onReady(group: number): void;
  /** Nobody here works on the rest any more. */
  onAbandoned(): void;
}

interface EqualJobEntry {
  /** Executions that work on it. */
  executionCount: number;
  readonly listeners: Set<JobLatencyListener>;
}

/** What is left of equal first answers is finished once. The others still learn from it how long it took: many equal
 *  answers that are late would otherwise count as one. */
export class EqualJobs {
  readonly #entries = new Map<string, EqualJobEntry>();

  /** An execution works on the rest that a job id stands for. */
  start(jobId: string): void {
    const rest = this.#entries.get(jobId);
    if (rest === undefined) this.#entries.set(jobId, { executionCount: 1, listeners: new Set() });
    else rest.executionCount += 1;
  }

  reportReady(jobId: string, group: number): void {
    for (const { onReady } of this.#entries.get(jobId)?.listeners ?? []) onReady(group);
  }

  /** An execution works on it no longer: it is done, or leaves it to an equal one and follows that. */
  end(jobId: string, follower?: JobLatencyListener): void {
    const rest = this.#entries.get(jobId);
    if (rest === undefined) return;
    if (follower !== undefined) rest.listeners.add(follower);
    rest.executionCount -= 1;
    if (rest.executionCount > 0) return;
    this.#entries.delete(jobId);
    for (const { onAbandoned } of rest.listeners) onAbandoned();
  }
}
