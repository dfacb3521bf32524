import type { IncomingMessage } from 'node:http';
import { HttpError } from '../admission/httpError.ts';
import { addRawBodyRoutes, sendProblem } from '../transport/http/rawBodyRoutes.ts';
import { isJsonContentType, readJsonBody } from '../transport/http/readBody.ts';
import type { RouteReply, Routes } from '../transport/http/routes.ts';
import type { CacheEntryView } from './describeEntry.ts';
import { readEntityQuery } from './readEntityQuery.ts';

/** What operators may do with the cache. */
export interface CacheAdmin {
  /** Deletes what a request's body names. */
  invalidate(body: unknown): Promise<
    | {
        readonly kind: 'done';
        readonly deleted: number;
        /** Not everything could be reached yet. What is left is not served any more, and deleted when it can be. */
        readonly isPending: boolean;
      }
    | InvalidCacheRequest
    | CacheUnavailable
  >;
  /** What is stored for an entity: an object of `__typename` and the fields of a key. At most `limit` entries. */
  entriesOf(
    entity: unknown,
    limit: number,
  ): Promise<
    | { readonly kind: 'entries'; readonly entries: readonly CacheEntryView[]; readonly isComplete: boolean }
    | InvalidCacheRequest
    | CacheUnavailable
  >;
}

/** All that is wrong with what was asked for; nothing was done. */
interface InvalidCacheRequest {
  readonly kind: 'mistakes';
  readonly reasons: readonly string[];
}

interface CacheUnavailable {
  readonly kind: 'unavailable';
  readonly reason: string;
}

interface CacheRoutesOptions {
  /** `undefined` where the cache is off. */
  readonly cache: CacheAdmin | undefined;
  /** Bytes that a request's body may have. */
  readonly bodySize: number;
}

/** `POST /cache/invalidate` and `GET /cache/entry` of the admin listener. */
export function addCacheRoutes(server: Routes, { cache, bodySize }: CacheRoutesOptions): void {
  addRawBodyRoutes(server, invalidateUsage, (routes) => {
    routes.post('/cache/invalidate', async (request, reply) => {
      if (cache === undefined) return sendProblem(reply, 404, cacheDisabledMessage);
      const result = await cache.invalidate(await readInvalidationBody(request.raw, bodySize));
      if (result.kind !== 'done') return sendFailure(reply, result);
      return { deleted: result.deleted, pending: result.isPending };
    });

    routes.get('/cache/entry', async (request, reply) => {
      if (cache === undefined) return sendProblem(reply, 404, cacheDisabledMessage);
      const query = readEntityQuery(request.query as Readonly<Record<string, unknown>>);
      if (query.kind === 'mistakes') return sendFailure(reply, query);
      const { entity, limit } = query;
      const result = await cache.entriesOf(entity, limit);
      if (result.kind !== 'entries') return sendFailure(reply, result);
      if (result.entries.length === 0) {
        return sendProblem(reply, 404, `Nothing is stored for ${JSON.stringify(entity)}.`);
      }
      return { entity, entries: result.entries, complete: result.isComplete };
    });
  });
}

const cacheDisabledMessage = 'The cache is off. cache.enabled: true in the configuration turns it on.';
const invalidateUsage =
  'Send a JSON object with any of types, entities, tags and subgraphs, such as {"types":["Product"]}, and the header content-type: application/json.';

async function readInvalidationBody(request: IncomingMessage, bodySize: number): Promise<unknown> {
  const contentType = request.headers['content-type'];
  // Also for safety: a page of another site can make a browser send a form or a text, but no JSON.
  if (!isJsonContentType(contentType)) throw new HttpError(415, invalidateUsage);
  return readJsonBody(request, bodySize);
}

function sendFailure(reply: RouteReply, refused: InvalidCacheRequest | CacheUnavailable): RouteReply {
  if (refused.kind === 'unavailable') return sendProblem(reply, 503, refused.reason);
  const { reasons } = refused;
  return reply.code(400).send({ error: reasons.join('; '), reasons });
}
