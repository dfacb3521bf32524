/** Names of the Redis keys of enrichment jobs. In a cluster, the part in braces decides the slot of a key: the keys of
 *  all runs of a job are in one slot. */
export class JobKeys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** A hash with the progress of a run: owner, fields that have an update, attempts. */
  run(runId: string): string {
    return this.#inJobSlot(runId, `run:${runId}`);
  }

  /** A stream of the run's updates. */
  updateLog(runId: string): string {
    return this.#inJobSlot(runId, `log:${runId}`);
  }

  /** The id of the unfinished run of the same job. */
  activeRun(runId: string): string {
    return this.#inJobSlot(runId, 'active-run');
  }

  /** The three keys of a run, in the order in which the scripts take them. */
  ofRun(runId: string): readonly [run: string, log: string, activeRun: string] {
    return [this.run(runId), this.updateLog(runId), this.activeRun(runId)];
  }

  token(tokenHash: string): string {
    return `${this.#prefix}enrichment:token:${tokenHash}`;
  }

  heartbeat(processId: string): string {
    return `${this.#prefix}enrichment:heartbeat:${processId}`;
  }

  /** The channel of the ids of runs that have a new update, each with the id of the process that has written it. */
  get changesChannel(): string {
    return `${this.#prefix}enrichment:changes`;
  }

  get queuePrefix(): string {
    return `{${this.#prefix}enrichment}`;
  }

  /** A key without a value, in the slot of the queue. */
  get queueProbe(): string {
    return `${this.queuePrefix}:probe`;
  }

  #inJobSlot(runId: string, name: string): string {
    const jobId = runId.slice(0, runId.lastIndexOf('.'));
    return `${this.#prefix}{${jobId}}enrichment:${name}`;
  }
}
