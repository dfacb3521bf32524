import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { ClientIdentity } from '../execution/requestContext.ts';
import type { IssuedToken } from '../response/enrichmentExtension.ts';
import type { EnrichmentJob, JobAttempt } from './enrichmentJob.ts';

/** Fetches the pending fields of first responses, and serves their updates to the clients that have the tokens. */
export interface DeferredEnrichments {
  /** Enqueues a job whose first attempt is already running, and issues a token. If an equal job is known, cancels
   *  `attempt`, and the token belongs to that job. Resolves when another process could finish the job, or after
   *  `enrichment.jobs.enqueueTimeout`; with `undefined`, after cancelling `attempt`, if there is no room for the job.
   *  Never rejects. */
  enqueue(job: EnrichmentJob, attempt: JobAttempt, caller: Caller): Promise<IssuedToken | undefined>;
  /** All updates after `cursor`, each once and in order. The iterator ends after the update whose `hasNext` is false;
   *  `return()` ends it at once, also during a pending `next()`. `undefined` if the token is unknown, malformed,
   *  expired or another caller's. A token of an anonymous caller is everyone's.
   *  @throws {GatewayError} `BAD_REQUEST` for a cursor that no update can have. */
  subscribe(
    token: string,
    caller: Caller,
    cursor: string | undefined,
  ): Promise<AsyncIterableIterator<EnrichmentUpdate> | undefined>;
  /** The updates after `cursor` that have arrived so far; `undefined` as for `subscribe`. */
  readArrived(token: string, caller: Caller, cursor?: string): Promise<ArrivedUpdates | undefined>;
}

/** The sender of the operation, or of a request with its token. */
export interface Caller extends Pick<ClientIdentity, 'tokenOwner'> {
  /** Called when the token was found, perhaps more than once, with the `traceparent` of the request that it was issued to. */
  readonly onFound?: ((traceparent: string | undefined) => void) | undefined;
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
