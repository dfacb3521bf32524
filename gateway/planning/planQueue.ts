import type { PlanRequest } from './planner.ts';

export interface PlanQueueLimits {
  /** Most requests that wait. */
  readonly maxWaiting: number;
  /** Most characters of their documents together. */
  readonly maxWaitingCharacters: number;
}

/** Requests that wait for a planner's thread, bounded in number and in memory. The shortest document is next:
 *  what takes long to plan is long once its fragments are expanded, and would hold up everything behind it. */
export class PlanQueue<Job extends { readonly request: PlanRequest }> {
  readonly #limits: PlanQueueLimits;
  readonly #jobs: Job[] = [];
  #characters = 0;

  constructor(limits: PlanQueueLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#jobs.length;
  }

  /** False where there is no room. One alone has room whatever its size. */
  add(job: Job): boolean {
    const characters = this.#characters + documentLengthOf(job);
    const { maxWaiting, maxWaitingCharacters } = this.#limits;
    const isFull = this.#jobs.length >= maxWaiting || characters > maxWaitingCharacters;
    if (isFull && this.#jobs.length > 0) return false;
    this.#jobs.push(job);
    this.#characters = characters;
    return true;
  }

  /** The shortest; of equally long ones the oldest. */
  take(): Job | undefined {
    let shortest = 0;
    for (const [index, job] of this.#jobs.entries()) {
      if (documentLengthOf(job) < documentLengthOf(this.#jobs[shortest] as Job)) shortest = index;
    }
    const [job] = this.#jobs.splice(shortest, 1);
    if (job !== undefined) this.#characters -= documentLengthOf(job);
    return job;
  }

  /** Empties the queue. */
  takeAll(): Job[] {
    this.#characters = 0;
    return this.#jobs.splice(0);
  }
}

function documentLengthOf({ request }: { readonly request: PlanRequest }): number {
  return request.document.length;
}
