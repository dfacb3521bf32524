import type { ResponsePath } from '../errors.ts';
import type { PendingField } from './shapeData.ts';

/** The pending enrichments of a response, in `extensions.tributary`. */
export interface EnrichmentExtension {
  /** Fetches the pending fields. Absent when the job queue is full: then the client has to send the operation again. */
  readonly token?: string;
  /** Lifetime of the token, in milliseconds. */
  readonly expiresInMs?: number;
  /** The response has null at each of these paths for now. */
  readonly pending: readonly PendingPath[];
  /** How many more paths are pending: only the first ones are listed. */
  readonly pendingOmitted?: number;
}

interface PendingPath {
  readonly path: ResponsePath;
  /** `budget`: the field missed its budget. `error`: its subgraph was unavailable, and is tried again. */
  readonly reason: 'budget' | 'error';
}

/** The token of a job for the fields that a response omits. */
export interface IssuedToken {
  readonly token: string;
  readonly expiresInMs: number;
}

/** `failedGroups`: the delivery groups whose failures a later attempt may mend. */
export function createEnrichmentExtension(
  fields: readonly PendingField[],
  failedGroups: ReadonlySet<number>,
  token: IssuedToken | undefined,
): EnrichmentExtension {
  const pending = fields
    .slice(0, maxListedPaths)
    .map(({ path, group }): PendingPath => ({ path, reason: failedGroups.has(group) ? 'error' : 'budget' }));
  const omitted = fields.length - pending.length;
  return { ...token, pending, ...(omitted > 0 ? { pendingOmitted: omitted } : {}) };
}

/** The updates have their paths as well, so that clients do not need the full list. */
const maxListedPaths = 1000;
