import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { ClientIdentity } from '../execution/requestContext.ts';
import type { EnrichmentPriority } from '../operation/enrichmentRule.ts';
import type { ForwardedHeaders } from '../subgraphs/forwardedHeaders.ts';

/** The pending fields of a first response, and everything that a process needs to fetch them, as plain JSON. */
export interface EnrichmentJob {
  /** Equal for two responses exactly if the same fields are missing from the same first response, for callers whose
   *  requests may share calls, with the same invalidations before them. Base64url, without `:`. */
  readonly id: string;
  readonly operation: {
    readonly document: string;
    readonly operationName: string | undefined;
    /** As JSON text: a queue would round numbers. */
    readonly variables: string;
  };
  /** The client that sent the operation, as it was authenticated then: a later attempt does not verify its token again,
   *  which may have expired. */
  readonly caller: JobCaller;
  /** `x-request-id`, and without `subgraphHeaders` the client's headers that are forwarded to subgraphs, with names in lower
   *  case. */
  readonly headers: readonly (readonly [string, string])[];
  /** The headers that subgraphs get, by subgraph, where they cannot be read from the client's headers again. */
  readonly subgraphHeaders?: readonly (readonly [string, ForwardedHeaders])[] | undefined;
  /** The data of the first response that the pending fields depend on. Opaque outside of execution. `undefined` if it is
   *  larger than `enrichment.jobs.maxSnapshotSize`: then the running attempt is the only one. */
  readonly snapshot: unknown;
  /** Bytes of the snapshot as JSON text, also if it was not stored. */
  readonly snapshotSize: number;
  /** Bytes of the whole job as JSON text, including the snapshot. */
  readonly size: number;
  /** The pending fields: never empty, and with different keys. */
  readonly fields: readonly JobField[];
  readonly priority: EnrichmentPriority;
  /** `traceparent` of the request that left the fields pending, where it is recorded. Not part of the identity. */
  readonly traceparent?: string | undefined;
}

/** What a job needs to know about its client: not the token, with which others could act in the client's name. */
type JobCaller = Pick<ClientIdentity, 'identity' | 'claims'>;

export interface JobField {
  /** Unique within the job. */
  readonly key: string;
  /** Path in the response. */
  readonly path: ResponsePath;
  /** Coordinate of the enrichment in the schema. */
  readonly coordinate: string;
}

/** The result of one field in one attempt. */
export interface FieldResult {
  readonly key: string;
  readonly path: ResponsePath;
  /** The value at `path`. */
  readonly data: unknown;
  readonly errors: readonly GraphQLFormattedError[] | undefined;
  /** The field failed in a way that another attempt may mend. */
  readonly isRetryable: boolean;
}

/** An execution, running in this process, that fetches the pending fields of a job. */
export interface JobAttempt {
  /** Calls `onResult` once for each field. Must be called exactly once, without delay. Resolves when every field has a
   *  result, or the attempt was cancelled. Rejects for an internal error, after which fields without a result can be
   *  retried. */
  collect(onResult: (result: FieldResult) => void): Promise<void>;
  /** Idempotent. */
  cancel(): void;
}

export interface JobExecutor {
  /** Creates an attempt that continues from the job's snapshot, in any process, for at most `deadlineMs`. */
  createAttempt(job: EnrichmentJob, deadlineMs: number): JobAttempt;
}
