import type { GraphQLFormattedError } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { EnrichmentPriority } from '../operation/enrichmentRule.ts';

/** The rest of an answer, as plain JSON: whoever has it can finish the work, in this process or another. */
export interface EnrichmentJob {
  /** Equal for two answers exactly if the same rest is missing from the same first answer, for callers whose
   *  requests may share calls. Base64url, without `:`. */
  readonly id: string;
  readonly operation: {
    readonly document: string;
    readonly operationName: string | undefined;
    readonly variables: Readonly<Record<string, unknown>>;
  };
  /** The client's headers that subgraphs get or that the identity is made of, names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  /** What the first answer was made of, as far as the rest needs it. Opaque outside execution. `undefined` where it was
   *  too large to be kept: then there is no other attempt than the run that is under way. */
  readonly snapshot: unknown;
  /** Bytes of the snapshot as JSON text, whether or not it was kept. */
  readonly snapshotSize: number;
  /** Bytes of the whole job as JSON text, those of the snapshot among them. */
  readonly size: number;
  /** What is missing: never empty, all keys different. */
  readonly fields: readonly JobField[];
  readonly priority: EnrichmentPriority;
}

/** One thing that an answer has left out. */
export interface JobField {
  /** Unique within the job. */
  readonly key: string;
  /** Where it belongs in the answer, in the client's names. */
  readonly path: ResponsePath;
  /** The field that is late. */
  readonly coordinate: string;
}

/** What has become of one place: exactly one per place and attempt. */
export interface FieldResult {
  readonly key: string;
  readonly path: ResponsePath;
  /** What belongs at `path`. */
  readonly data: unknown;
  readonly errors: readonly GraphQLFormattedError[] | undefined;
  /** It failed in a way that another attempt may mend: then it is tried again, as long as there are attempts. */
  readonly isRetryable: boolean;
}

/** Work on a job that is under way in this process. */
export interface JobAttempt {
  /** Each result as it comes; to be called once, at once. Resolves when every place had its result, or the run was
   *  cancelled. Rejects for a fault of the gateway's own, as if every place that had none were retryable. */
  collect(take: (result: FieldResult) => void): Promise<void>;
  /** Nobody wants it any more. Idempotent. */
  cancel(): void;
}

/** Does the work of a job from its snapshot, wherever the first answer was made. */
export interface JobExecutor {
  /** `deadlineMs`: how long it may take. */
  createAttempt(job: EnrichmentJob, deadlineMs: number): JobAttempt;
}
