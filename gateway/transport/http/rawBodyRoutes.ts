import type { FastifyInstance, FastifyReply } from 'fastify';
import { HttpError, retryHeaders } from '../../admission/httpError.ts';

/** Adds routes that read their request bodies themselves. Their responses have `cache-control: no-store`, and an `HttpError`
 *  becomes `{ error }`. `usage`: the error for an invalid `content-type`, which says how to call the routes. */
export function addRawBodyRoutes(
  server: FastifyInstance,
  usage: string,
  addRoutes: (routes: FastifyInstance) => void,
): void {
  server.register(async (routes) => {
    routes.removeAllContentTypeParsers();
    routes.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined));
    routes.addHook('onRequest', async (_, reply) => {
      reply.header('cache-control', 'no-store');
    });
    routes.setErrorHandler(async (error, _, reply) => {
      if (isInvalidContentType(error)) return sendProblem(reply, 415, usage);
      if (!(error instanceof HttpError)) throw error;
      return sendProblem(reply.headers(error.headers), error.status, error.message);
    });
    addRoutes(routes);
  });
}

export function sendProblem(reply: FastifyReply, status: number, error: string): FastifyReply {
  if (status === 503) reply.headers(retryHeaders);
  // An extension may have set another type for the response that failed.
  return reply.code(status).type('application/json; charset=utf-8').send({ error });
}

/** Fastify rejects an invalid `content-type` before a parser is called. */
function isInvalidContentType(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE';
}
