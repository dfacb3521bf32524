/** What operators may see of late work and do with it. Both reject with a `GatewayError` while Redis does not answer. */
export interface JobAdmin {
  /** The newest first. */
  list(query: JobQuery): Promise<readonly JobView[]>;
  /** Lets a job that was put aside be tried again, with all its attempts. */
  retry(id: string): Promise<RetryResult>;
}

export type JobState = 'waiting' | 'failed';

export interface JobQuery {
  /** Both where it is `undefined`. */
  readonly state: JobState | undefined;
  /** Most of each state. */
  readonly limit: number;
}

export interface JobView {
  readonly id: string;
  /** `waiting`: under way, or to be tried again. `failed`: put aside after its last attempt. */
  readonly state: JobState;
  /** Of the fields that the job fetches, each once. */
  readonly coordinates: readonly string[];
  /** How many have failed. */
  readonly attempts: number;
  /** What the last one failed with. */
  readonly error: string | undefined;
  /** Milliseconds since it was handed over. */
  readonly ageMs: number;
}

/** `not failed`: it is under way, or waits by itself. `busy`: there is no room for it now. */
export type RetryResult = 'retried' | 'unknown' | 'not failed' | 'busy';
