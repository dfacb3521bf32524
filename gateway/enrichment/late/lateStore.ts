import type { EnrichmentJob, PlaceResult } from '../enrichmentJob.ts';
import type { JobQuery, JobView, RetryVerdict } from './jobAdmin.ts';
import type { LogPage } from './updateLog.ts';

/** Where late work is written down: tokens, the updates of each job, and how far it is. One job that is handed over
 *  again when its first work has ended is another work, with an id and a log of its own. */
export interface LateStore {
  /** From now on works without a process, and those that are to be tried once more, are handed to `adopt`; it returns
   *  false where there is no room for one. */
  start(adopt: (work: OpenWork) => boolean): void;
  /** From now on nothing is handed to `adopt` any more. */
  stop(): Promise<void>;
  /** A work begins here, with its first token; it can be written to at once. Resolves when others know of it, or after
   *  a short time all the same, with the id of the work that the token leads to: another one where an equal job is
   *  under way in another process. */
  open(work: NewWork, token: TokenRecord): Promise<string>;
  /** One more token for a work of this process. False where the work is forgotten. Resolves as `open` does. */
  join(workId: string, token: TokenRecord): Promise<boolean>;
  find(tokenHash: string): Promise<FoundToken | undefined>;
  /** `undefined` where the log is forgotten. */
  read(workId: string, after: string): Promise<LogPage | undefined>;
  /** Calls when there may be more to read. Returns what ends that. */
  watch(workId: string, onChange: () => void): () => void;
  /** The update of a place, unless it has one. */
  publish(workId: string, result: PlaceResult): void;
  /** An attempt has failed, and another follows. */
  noteFailure(workId: string, failure: WorkFailure): void;
  /** Whether a token of it may still be used, or somebody wants it tried once more. */
  isWanted(workId: string): Promise<boolean>;
  /** This process does no more for it. */
  settle(workId: string, end: WorkEnd): void;
  list(query: JobQuery): Promise<readonly JobView[]>;
  retry(id: string): Promise<RetryVerdict>;
  /** Resolves when all that is to be kept is. */
  close(): Promise<void>;
}

export interface NewWork {
  readonly id: string;
  readonly job: EnrichmentJob;
}

export interface OpenWork extends NewWork {
  /** Keys of the places that are to come. */
  readonly missing: readonly string[];
  /** How many have failed. */
  readonly attempts: number;
  readonly from: 'dead process' | 'put aside';
}

export interface TokenRecord {
  readonly tokenHash: string;
  readonly identityHash: string;
}

export interface FoundToken {
  readonly workId: string;
  readonly identityHash: string;
}

export interface WorkFailure {
  readonly attempts: number;
  /** For operators. */
  readonly error: string;
}

/** `left`: the process ends, and others may go on with it. */
export type WorkEnd =
  | { readonly kind: 'done' | 'dropped' | 'left' }
  | (WorkFailure & {
      readonly kind: 'failed';
      /** Keys of the places that got nothing. */
      readonly keys: readonly string[];
    });
