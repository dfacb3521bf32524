import type { EnrichmentJob, FieldResult } from '../enrichmentJob.ts';
import type { JobQuery, JobView, RetryResult } from './jobAdmin.ts';
import type { LogPage } from './updateLog.ts';

/** Where late work is written down: tokens, the updates of each job, and how far it is. One job that is handed over
 *  again when its first work has ended is another work, with an id and a log of its own. */
export interface JobStore {
  /** From now on works without a process, and those that are to be tried once more, are handed to `adopt`; it returns
   *  false where there is no room for one. */
  start(adopt: (work: ResumableJobRun) => boolean): void;
  /** From now on nothing is handed to `adopt` any more. */
  stop(): Promise<void>;
  /** A work begins here, with its first token; it can be written to at once. Resolves when others know of it, or after
   *  a short time all the same, with the id of the work that the token leads to: another one where an equal job is
   *  under way in another process. */
  open(work: JobRun, token: TokenRecord): Promise<string>;
  /** One more token for a work of this process. False where the work is forgotten. Resolves as `open` does. */
  join(workId: string, token: TokenRecord): Promise<boolean>;
  find(tokenHash: string): Promise<FoundToken | undefined>;
  /** `undefined` where the log is forgotten. */
  read(workId: string, after: string): Promise<LogPage | undefined>;
  /** Calls when there may be more to read. Returns what ends that. */
  watch(workId: string, onChange: () => void): () => void;
  /** The update of a place, unless it has one. */
  publish(workId: string, result: FieldResult): void;
  /** An attempt has failed, and another follows. */
  recordFailure(workId: string, failure: JobRunFailure): void;
  /** Whether a token of it may still be used, or somebody wants it tried once more. */
  isWanted(workId: string): Promise<boolean>;
  /** This process does no more for it. */
  settle(workId: string, end: JobRunEnd): void;
  list(query: JobQuery): Promise<readonly JobView[]>;
  retry(id: string): Promise<RetryResult>;
  /** Resolves when all that is to be kept is. */
  close(): Promise<void>;
}

export interface JobRun {
  readonly id: string;
  readonly job: EnrichmentJob;
}

export interface ResumableJobRun extends JobRun {
  /** Keys of the places that are to come. */
  readonly pendingKeys: readonly string[];
  /** How many have failed. */
  readonly failedAttempts: number;
  readonly resumedFrom: 'dead process' | 'put aside';
}

export interface TokenRecord {
  readonly tokenHash: string;
  readonly identityHash: string;
}

export interface FoundToken {
  readonly runId: string;
  readonly identityHash: string;
}

export interface JobRunFailure {
  readonly attempts: number;
  /** For operators. */
  readonly error: string;
}

/** `left`: the process ends, and others may go on with it. */
export type JobRunEnd =
  | { readonly kind: 'done' | 'dropped' | 'left' }
  | (JobRunFailure & {
      readonly kind: 'failed';
      /** Keys of the places that got nothing. */
      readonly failedKeys: readonly string[];
    });
