import { createHash } from 'node:crypto';
import { HttpError } from './httpError.ts';

/** Checks `extensions.persistedQuery` before Apollo Server does, which reports an invalid one as an internal error. `query` is
 *  `undefined` if the request has none.
 *  @throws {HttpError} 400 */
export function checkPersistedQuery(persistedQuery: unknown, query: string | undefined): void {
  // Apollo Server treats every falsy value as absent.
  if (!persistedQuery) return;
  const { version, sha256Hash } = persistedQuery as Record<string, unknown>;
  if (version !== 1) {
    throw new HttpError(
      400,
      'The version of the persisted query is not supported. Send version 1 (extensions.persistedQuery.version).',
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
      'The hash of the persisted query does not match the query: extensions.persistedQuery.sha256Hash must be the SHA-256 of the query in lower-case hexadecimal digits.',
    );
  }
}
