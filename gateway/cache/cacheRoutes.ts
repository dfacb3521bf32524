import type { IncomingMessage } from 'node:http';
import { HttpError } from '../admission/httpError.ts';
import { parseExactJson } from '../json/exactJson.ts';
import { addRawBodyRoutes, sendProblem } from '../transport/http/rawBodyRoutes.ts';
import { isJsonContentType, readJsonBody } from '../transport/http/readBody.ts';
import type { RouteReply, Routes } from '../transport/http/routes.ts';
import type { CacheAdmin, CacheUnavailable, InvalidCacheRequest } from './cacheAdministration.ts';

interface CacheRoutesOptions {
  /** `undefined` if the cache is disabled. */
  readonly cache: CacheAdmin | undefined;
  /** The maximum size of a request body in bytes. */
  readonly bodySize: number;
}

/** `POST /cache/invalidate`, `GET /cache/entry` and `GET /cache/rules` of the admin listener. */
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
      if (query.kind === 'invalid') return sendFailure(reply, query);
      const { entity, limit } = query;
      const result = await cache.entriesOf(entity, limit);
      if (result.kind !== 'entries') return sendFailure(reply, result);
      if (result.entries.length === 0) {
        return sendProblem(reply, 404, `The cache has no entry for ${JSON.stringify(entity)}.`);
      }
      return { entity, entries: result.entries, complete: result.isComplete };
    });

    routes.get('/cache/rules', async (_request, reply) => {
      if (cache === undefined) return sendProblem(reply, 404, cacheDisabledMessage);
      return { rules: cache.ruleReports() };
    });
  });
}

const cacheDisabledMessage =
  'The cache is disabled. Set cache.enabled: true in the configuration to enable it.';
const invalidateUsage =
  'Send a JSON object with any of types, entities, tags and subgraphs, such as {"types":["Product"]}, and the header content-type: application/json.';

async function readInvalidationBody(request: IncomingMessage, bodySize: number): Promise<unknown> {
  const contentType = request.headers['content-type'];
  // Prevents CSRF: a page of another site can make a browser send a form or plain text, but not JSON.
  if (!isJsonContentType(contentType)) throw new HttpError(415, invalidateUsage);
  return readJsonBody(request, bodySize);
}

function sendFailure(reply: RouteReply, failure: InvalidCacheRequest | CacheUnavailable): RouteReply {
  if (failure.kind !== 'invalid')
    return sendProblem(reply, failure.kind === 'unused' ? 404 : 503, failure.reason);
  const { reasons } = failure;
  return reply.code(400).send({ error: reasons.join('; '), reasons });
}

type EntityQuery =
  | { readonly kind: 'entity'; readonly entity: unknown; readonly limit: number }
  | InvalidCacheRequest;

const defaultLimit = 100;
const maxLimit = 1_000;

const entityQueryUsage =
  'name the entity: ?type=Product&id=1, or as JSON, URL-encoded: ?entity={"__typename":"Product","id":"1"}';

/** Reads the entity from the parameters of a URL: `entity` with its representation as JSON, or `type` and the fields of a
 *  key as text. Keys with objects, or with a field `limit` or `type`, need `entity`. `limit` is the maximum number of
 *  entries. */
function readEntityQuery(parameters: Readonly<Record<string, unknown>>): EntityQuery {
  const repeated = Object.keys(parameters).filter((name) => typeof parameters[name] !== 'string');
  if (repeated.length > 0) return invalidQuery(repeated.map((name) => `${name} must be given only once`));
  const { limit, entity, type, ...fields } = parameters as Readonly<Record<string, string>>;
  const count = limit === undefined ? defaultLimit : readLimit(limit);
  const reasons =
    count === undefined ? [`limit is ${JSON.stringify(limit)}; expected a number from 1 to ${maxLimit}`] : [];
  const named = entity === undefined ? readFields(type, fields) : readJson(entity, type, fields);
  if (named.kind === 'invalid' || count === undefined) {
    return invalidQuery([...reasons, ...(named.kind === 'invalid' ? named.reasons : [])]);
  }
  return { ...named, limit: count };
}

type NamedEntity = { readonly kind: 'entity'; readonly entity: unknown } | InvalidCacheRequest;

function readFields(type: string | undefined, fields: Readonly<Record<string, string>>): NamedEntity {
  if (type === undefined || type === '') return invalidQuery([entityQueryUsage]);
  if (Object.keys(fields).length === 0)
    return invalidQuery([`the key of ${type} is missing; ${entityQueryUsage}`]);
  if (fields.__typename !== undefined) return invalidQuery(['__typename is not allowed here; use type']);
  return { kind: 'entity', entity: { __typename: type, ...fields } };
}

function readJson(
  text: string,
  type: string | undefined,
  fields: Readonly<Record<string, string>>,
): NamedEntity {
  const redundant = [...(type === undefined ? [] : ['type']), ...Object.keys(fields)];
  if (redundant.length > 0) {
    return invalidQuery([
      `entity is the whole representation; remove ${redundant.join(', ')}, or move them into it`,
    ]);
  }
  try {
    return { kind: 'entity', entity: parseExactJson(text) };
  } catch {
    return invalidQuery([`entity is not valid JSON; ${entityQueryUsage}`]);
  }
}

function readLimit(text: string): number | undefined {
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= maxLimit ? limit : undefined;
}

function invalidQuery(reasons: readonly string[]): InvalidCacheRequest {
  return { kind: 'invalid', reasons };
}
