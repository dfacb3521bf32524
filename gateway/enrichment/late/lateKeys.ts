/** Names of all that late work keeps in Redis. The part in braces decides on the slot of a key in a Cluster: what
 *  belongs to equal jobs is in one slot. */
export class LateKeys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** How far a work is: owner, places that have had their update, attempts. */
  work(workId: string): string {
    return this.#in(workId, `work:${workId}`);
  }

  /** A stream of its updates. */
  log(workId: string): string {
    return this.#in(workId, `log:${workId}`);
  }

  /** Which work is under way for the job. */
  job(workId: string): string {
    return this.#in(workId, 'job');
  }

  /** The three of a work, as scripts take them. */
  ofWork(workId: string): readonly [work: string, log: string, job: string] {
    return [this.work(workId), this.log(workId), this.job(workId)];
  }

  token(tokenHash: string): string {
    return `${this.#prefix}late:token:${tokenHash}`;
  }

  /** There as long as the process lives. */
  alive(processId: string): string {
    return `${this.#prefix}late:alive:${processId}`;
  }

  /** Says of which works there is more to read. */
  get changes(): string {
    return `${this.#prefix}late:changes`;
  }

  get queue(): string {
    return `{${this.#prefix}late}`;
  }

  #in(workId: string, name: string): string {
    const jobId = workId.slice(0, workId.lastIndexOf('.'));
    return `${this.#prefix}{${jobId}}late:${name}`;
  }
}
