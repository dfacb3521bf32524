import type { FieldResult } from '../enrichmentJob.ts';
import type { JobAdmin } from './jobAdmin.ts';
import type { JobRun, JobRunEnd, JobRunFailure, ResumableJobRun } from './jobRun.ts';
import type { LogPage } from './updateLog.ts';

/** The storage port of enrichment jobs: the tokens, the update log of each job run, its progress, and the dead letters.
 *  When a response enqueues a job whose earlier run has ended, it becomes another run, with its own id and log. */
export interface JobStore extends JobAdmin {
  /** Starts resuming job runs whose process has died, and dead letters that an operator retries. `resume` returns
   *  false when the job pool is full. */
  start(resume: ResumeRun): void;
  /** Stops calling `resume`. */
  stop(): Promise<void>;
  /** Resolves when everything that must outlive the process is stored. */
  close(): Promise<void>;

  /** Creates a run with its first token. The run can be written to at once. Resolves when other processes know the run,
   *  or after `enrichment.jobs.enqueueTimeout`, with the id of the run that the token belongs to: another process's run
   *  if that process runs an equal job. */
  open(run: JobRun, token: TokenRecord): Promise<string>;
  /** Adds a token to a run of this process; false if the run is gone, or has updates. Resolves as `open` does. */
  join(runId: string, token: TokenRecord): Promise<boolean>;
  /** Appends the update of a field, unless the field has one. */
  publish(runId: string, result: FieldResult): void;
  /** An attempt has failed, and another one follows. */
  recordFailure(runId: string, failure: JobRunFailure): void;
  /** Whether a client can still use a token of the run, or an operator has retried the job. */
  isWanted(runId: string): Promise<boolean>;
  /** This process no longer works on the run. */
  settle(runId: string, end: JobRunEnd): void;

  findToken(tokenHash: string): Promise<FoundToken | undefined>;
  /** The updates after a cursor; `undefined` if the log is gone. `isSubscribed`: for a subscriber, who has one read at a
   *  time. The number of all other reads at the same time is bounded.
   *  @throws {GatewayError} `OVERLOADED` beyond the bound. */
  read(runId: string, after: string, isSubscribed?: boolean): Promise<LogPage | undefined>;
  /** Calls `onChange` when there may be more to read. Returns a function that removes the listener. */
  watch(runId: string, onChange: () => void): () => void;
}

export type ResumeRun = (run: ResumableJobRun) => boolean;

export interface TokenRecord {
  readonly tokenHash: string;
  /** See `ownerHashOf`. */
  readonly ownerHash: string;
  /** `traceparent` of the request that the token was issued to, where it is recorded. */
  readonly traceparent?: string | undefined;
}

export interface FoundToken extends Omit<TokenRecord, 'tokenHash'> {
  readonly runId: string;
}
