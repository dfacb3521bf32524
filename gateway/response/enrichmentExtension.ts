import type { ResponsePath } from '../errors.ts';
import type { PendingField } from './shapeData.ts';

/** What an answer says of what is missing in it for now. */
export interface EnrichmentExtension {
  /** With this it can be picked up. Without one it is lost, and asking again is all that is left: there was no room for
   *  more work. */
  readonly token?: string;
  /** How long the token holds, in milliseconds. */
  readonly expiresInMs?: number;
  /** At each of these places the answer has null for now. */
  readonly pending: readonly PendingPath[];
  /** How many more there are: with very many, only the first are told here. */
  readonly pendingOmitted?: number;
}

interface PendingPath {
  readonly path: ResponsePath;
  readonly reason: 'budget';
}

interface EnrichmentTokenInfo {
  readonly token: string;
  readonly expiresInMs: number;
}

export function createEnrichmentExtension(
  places: readonly PendingField[],
  pickUp: EnrichmentTokenInfo | undefined,
): EnrichmentExtension {
  const pending = places
    .slice(0, maxListedPaths)
    .map(({ path }): PendingPath => ({ path, reason: 'budget' }));
  const omitted = places.length - pending.length;
  return { ...pickUp, pending, ...(omitted > 0 ? { pendingOmitted: omitted } : {}) };
}

/** The updates have their paths as well: who gets them needs no list of thousands. */
const maxListedPaths = 1000;
