/** A first answer that waits to learn how long its rest took. */
export interface RestFollower {
  /** An enrichment is ready, by its number in the operation. */
  onReady(enrichment: number): void;
  /** Nobody here works on the rest any more. */
  onGivenUp(): void;
}

interface EqualRest {
  /** Executions that work on it. */
  running: number;
  readonly followers: Set<RestFollower>;
}

/** What is left of equal first answers is finished once. The others still learn from it how long it took: many equal
 *  answers that are late would otherwise count as one. */
export class EqualRests {
  readonly #rests = new Map<string, EqualRest>();

  /** An execution works on the rest that a job id stands for. */
  begin(jobId: string): void {
    const rest = this.#rests.get(jobId);
    if (rest === undefined) this.#rests.set(jobId, { running: 1, followers: new Set() });
    else rest.running += 1;
  }

  tellReady(jobId: string, enrichment: number): void {
    for (const { onReady } of this.#rests.get(jobId)?.followers ?? []) onReady(enrichment);
  }

  /** An execution works on it no longer: it is done, or leaves it to an equal one and follows that. */
  end(jobId: string, follower?: RestFollower): void {
    const rest = this.#rests.get(jobId);
    if (rest === undefined) return;
    if (follower !== undefined) rest.followers.add(follower);
    rest.running -= 1;
    if (rest.running > 0) return;
    this.#rests.delete(jobId);
    for (const { onGivenUp } of rest.followers) onGivenUp();
  }
}
