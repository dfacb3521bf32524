import { createHash } from 'node:crypto';
import { HttpError } from './httpError.ts';

/** Checks how a request uses persisted queries, before Apollo Server does, which calls a wrong use an internal
 *  error. `query` is `undefined` where the request has none. Throws a `Refusal` (400). */
export function checkPersistedQuery(persistedQuery: unknown, query: string | undefined): void {
  // What counts as absent is Apollo Server's rule.
  if (!persistedQuery) return;
  const { version, sha256Hash } = persistedQuery as Record<string, unknown>;
  if (version !== 1) {
    throw new HttpError(
      400,
      'The persisted query has another version than 1, which is the only one there is (extensions.persistedQuery.version).',
    );
  }
  if (typeof sha256Hash !== 'string') {
    throw new HttpError(
      400,
      'The persisted query has no hash: extensions.persistedQuery.sha256Hash must be the SHA-256 of the query in lower-case hexadecimal digits.',
    );
  }
  if (query !== undefined && sha256Hash !== createHash('sha256').update(query).digest('hex')) {
    throw new HttpError(
      400,
      'The persisted query has another hash than its query: extensions.persistedQuery.sha256Hash must be the SHA-256 of the query in lower-case hexadecimal digits.',
    );
  }
}
