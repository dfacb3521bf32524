import type { PlanRequest } from './planner.ts';

export interface PlanQueueLimits {
  /** Maximum number of queued requests. */
  readonly maxWaiting: number;
  /** Maximum number of characters of their documents together. */
  readonly maxWaitingCharacters: number;
}

/** Requests that wait for a planner thread, bounded in number and in memory. The shortest document is taken first,
 *  because operations that take long to plan have long documents and would block all others. */
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

  /** Returns false when the queue is full. An empty queue accepts a request of any size. */
  add(job: Job): boolean {
    const characters = this.#characters + documentLengthOf(job);
    const { maxWaiting, maxWaitingCharacters } = this.#limits;
    const isFull = this.#jobs.length >= maxWaiting || characters > maxWaitingCharacters;
    if (isFull && this.#jobs.length > 0) return false;
    this.#jobs.push(job);
    this.#characters = characters;
    return true;
  }

  /** Removes the request with the shortest document; of equal lengths, the oldest. */
  take(): Job | undefined {
    let shortest = 0;
    for (const [index, job] of this.#jobs.entries()) {
      if (documentLengthOf(job) < documentLengthOf(this.#jobs[shortest] as Job)) shortest = index;
    }
    const [job] = this.#jobs.splice(shortest, 1);
    if (job !== undefined) this.#characters -= documentLengthOf(job);
    return job;
  }

  /** Removes all requests. */
  takeAll(): Job[] {
    this.#characters = 0;
    return this.#jobs.splice(0);
  }
}

function documentLengthOf({ request }: { readonly request: PlanRequest }): number {
  return request.document.length;
}
