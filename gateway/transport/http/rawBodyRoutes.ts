import type { FastifyInstance, FastifyReply } from 'fastify';
import { HttpError } from '../../admission/httpError.ts';

/** Adds routes that read their bodies themselves, in a scope of their own. Nothing of theirs is to be kept by anybody,
 *  and refusals are answered as `{ error }`. `callbackUsage`: what is told where the content type cannot even be read. */
export function addRawBodyRoutes(
  server: FastifyInstance,
  howToSend: string,
  addRoutes: (routes: FastifyInstance) => void,
): void {
  server.register(async (routes) => {
    routes.removeAllContentTypeParsers();
    routes.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined));
    routes.addHook('onRequest', async (_, reply) => {
      reply.header('cache-control', 'no-store');
    });
    routes.setErrorHandler(async (error, _, reply) => {
      if (isUnreadableContentType(error)) return sendProblem(reply, 415, howToSend);
      if (!(error instanceof HttpError)) throw error;
      return sendProblem(reply.headers(error.headers), error.status, error.message);
    });
    addRoutes(routes);
  });
}

export function sendProblem(reply: FastifyReply, status: number, error: string): FastifyReply {
  return reply.code(status).send({ error });
}

/** Fastify refuses these before a parser sees them. */
function isUnreadableContentType(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE';
}
