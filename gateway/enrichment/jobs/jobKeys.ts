/** Names of all that late work keeps in Redis. The part in braces decides on the slot of a key in a Cluster: what
 *  belongs to equal jobs is in one slot. */
export class JobKeys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** How far a work is: owner, places that have had their update, attempts. */
  run(workId: string): string {
    return this.#inJobSlot(workId, `work:${workId}`);
  }

  /** A stream of its updates. */
  updateLog(workId: string): string {
    return this.#inJobSlot(workId, `log:${workId}`);
  }

  /** Which work is under way for the job. */
  activeRun(workId: string): string {
    return this.#inJobSlot(workId, 'job');
  }

  /** The three of a work, as scripts take them. */
  ofRun(workId: string): readonly [work: string, log: string, job: string] {
    return [this.run(workId), this.updateLog(workId), this.activeRun(workId)];
  }

  token(tokenHash: string): string {
    return `${this.#prefix}late:token:${tokenHash}`;
  }

  /** There as long as the process lives. */
  heartbeat(processId: string): string {
    return `${this.#prefix}late:alive:${processId}`;
  }

  /** Says of which works there is more to read. */
  get changesChannel(): string {
    return `${this.#prefix}late:changes`;
  }

  get queuePrefix(): string {
    return `{${this.#prefix}late}`;
  }

  #inJobSlot(workId: string, name: string): string {
    const jobId = workId.slice(0, workId.lastIndexOf('.'));
    return `${this.#prefix}{${jobId}}late:${name}`;
  }
}
