import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from './rawBodyRoutes.ts';

export interface KnownRoute {
  /** Such as `/jobs/:id/retry`. */
  readonly url: string;
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** Answers requests for which there is no route: 405 with `Allow` if the path has other methods, otherwise 404. Called
 *  before routes are added. Returns the routes that are added later. */
export function rejectUnknownRoutes(server: FastifyInstance): ReadonlyMap<string, KnownRoute> {
  const known = new Map<string, KnownRoute>();
  server.addHook('onRoute', ({ url, method }) => {
    const pattern = new RegExp(`^${url.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}/?$`);
    const route = known.get(url) ?? { url, pattern, methods: new Set() };
    known.set(url, route);
    // An OPTIONS route only answers preflights.
    for (const name of [method].flat()) if (name !== 'OPTIONS') route.methods.add(name);
  });
  // Before the body is parsed: its content type says nothing about the route.
  server.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return;
    reply.header('cache-control', 'no-store');
    const [path = ''] = request.url.split('?');
    const route = [...known.values()].find(({ pattern }) => pattern.test(path));
    if (route === undefined) return sendNotFound(request, reply);
    const allowed = [...route.methods].sort().join(', ');
    return sendProblem(reply.header('allow', allowed), 405, `The route ${route.url} allows ${allowed}.`);
  });
  // For routes that call it.
  server.setNotFoundHandler(async (request, reply) => sendNotFound(request, reply));
  return known;
}

function sendNotFound({ method, url }: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendProblem(reply, 404, `There is no route ${method} ${url.split('?')[0]}.`);
}
