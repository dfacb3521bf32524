import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { EnrichmentJob, JobAttempt } from './enrichmentJob.ts';

/** What an answer that left without something hands over, and what whoever has its token gets afterwards. */
export interface DeferredEnrichments {
  /** Takes over the rest of an answer: `run` is the execution that is under way for it. Where an equal job is known,
   *  `run` is cancelled, and the token leads to that one. Resolves when the token may be told to the client, which is
   *  when another process could finish the work, or after a short time all the same. `undefined` where there is no room
   *  for it: then `run` was cancelled, and nobody can pick anything up. Never rejects. */
  enqueue(job: EnrichmentJob, run: JobAttempt, caller: Caller): Promise<IssuedToken | undefined>;
  /** What has come and what comes, each exactly once and in order, from after `cursor` on. Ends after the update
   *  without `hasNext`. `undefined` for a token that is unknown, malformed, expired or somebody else's. `return()`
   *  ends the following at once, also while a `next()` is pending. */
  subscribe(
    token: string,
    caller: Caller,
    cursor: string | undefined,
  ): Promise<AsyncIterableIterator<EnrichmentUpdate> | undefined>;
  /** What has come so far; `undefined` as with `follow`. */
  readArrived(token: string, caller: Caller): Promise<ArrivedUpdates | undefined>;
  /** Hands over or reports what is left. */
  close(): Promise<void>;
}

/** Whose token it is: the same text for equal callers, of whatever the configuration tells them apart by. */
export interface Caller {
  readonly identity: string;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresInMs: number;
}

export interface EnrichmentUpdate {
  readonly path: ResponsePath;
  readonly label: string | null;
  readonly data: unknown;
  readonly errors: readonly GraphQLFormattedError[] | null;
  readonly hasNext: boolean;
  readonly cursor: string;
}

export interface ArrivedUpdates {
  readonly updates: readonly EnrichmentUpdate[];
  readonly hasNext: boolean;
}
