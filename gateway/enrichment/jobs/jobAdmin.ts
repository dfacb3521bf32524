import type { JobRun, JobRunFailure } from './jobRun.ts';

/** What operators can see of enrichment jobs and do with them. Both methods reject with a `GatewayError` `OVERLOADED`
 *  when Redis does not give access to the jobs. */
export interface JobAdmin {
  /** The newest jobs first. */
  list(query: JobQuery): Promise<readonly JobView[]>;
  /** Moves a job from the dead letters back to the waiting jobs, with all its attempts. */
  retry(id: string): Promise<RetryResult>;
}

export type JobState = 'waiting' | 'failed';

export interface JobQuery {
  /** `undefined` lists jobs in both states. */
  readonly state: JobState | undefined;
  /** Maximum number of jobs in each state. */
  readonly limit: number;
}

export interface JobView {
  /** The id of the job run. */
  readonly id: string;
  /** `waiting`: running, or waiting for another attempt. `failed`: a dead letter. */
  readonly state: JobState;
  /** The fields that the job fetches, without duplicates. */
  readonly coordinates: readonly string[];
  /** How many attempts have failed. */
  readonly attempts: number;
  /** The error of the last failed attempt. */
  readonly error: string | undefined;
  /** Milliseconds since the job was enqueued. */
  readonly ageMs: number;
}

/** `not failed`: the job is running or waits for another attempt. `busy`: the job pool is full. */
export type RetryResult = 'retried' | 'unknown' | 'not failed' | 'busy';

/** `now`: milliseconds since 1970, like `createdAt`. */
export function jobViewOf(
  state: JobState,
  { id, job, createdAt }: JobRun & { readonly createdAt: number },
  failure: JobRunFailure | undefined,
  now: number,
): JobView {
  return {
    id,
    state,
    coordinates: [...new Set(job.fields.map(({ coordinate }) => coordinate))],
    attempts: failure?.attempts ?? 0,
    error: failure?.error,
    ageMs: Math.max(0, now - createdAt),
  };
}

/** The newest jobs first, at most `limit` in each state. */
export function newestOfEachState(
  views: readonly JobView[],
  { limit }: Pick<JobQuery, 'limit'>,
): readonly JobView[] {
  const counts = { waiting: 0, failed: 0 };
  return views
    .toSorted((a, b) => a.ageMs - b.ageMs)
    .filter(({ state }) => {
      counts[state] += 1;
      return counts[state] <= limit;
    });
}
