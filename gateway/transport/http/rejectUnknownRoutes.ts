import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from './rawBodyRoutes.ts';
import { pathOf } from './requestTarget.ts';

export interface KnownRoute {
  /** Such as `/jobs/:id/retry`. */
  readonly url: string;
  /** Matches all paths of the route, and those that only an expression in its URL excludes. */
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** Answers requests for which there is no route: 405 with `Allow` if the path has other methods, otherwise 404. Called
 *  before routes are added. Returns the routes that are added later. `advice`: a sentence that ends the message of a 404. */
export function rejectUnknownRoutes(
  server: FastifyInstance,
  advice: string,
): ReadonlyMap<string, KnownRoute> {
  const sendNotFound = ({ method, url }: FastifyRequest, reply: FastifyReply): FastifyReply =>
    sendProblem(reply, 404, `There is no route ${method} ${pathOf(url)}. ${advice}`);
  const known = new Map<string, KnownRoute>();
  server.addHook('onRoute', ({ url, method }) => {
    const route = known.get(url) ?? { url, pattern: patternOf(url), methods: new Set() };
    known.set(url, route);
    // An OPTIONS route only answers preflights.
    for (const name of [method].flat()) if (name !== 'OPTIONS') route.methods.add(name);
  });
  // Before the body is parsed: its content type says nothing about the route.
  server.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return;
    reply.header('cache-control', 'no-store');
    const path = pathOf(request.url);
    const routes = [...known.values()].filter(({ pattern }) => pattern.test(path));
    const methods = new Set(routes.flatMap((route) => [...route.methods]));
    if (routes.length === 0 || methods.has(request.method)) return sendNotFound(request, reply);
    const allowed = [...methods].sort().join(', ');
    const names = routes.map(({ url }) => url).join(', ');
    return sendProblem(reply.header('allow', allowed), 405, `The route ${names} allows ${allowed}.`);
  });
  // For routes that call it.
  server.setNotFoundHandler(async (request, reply) => sendNotFound(request, reply));
  return known;
}

/** What has a meaning in a path of Fastify's router, each with what it matches; and all other characters with one in a regular
 *  expression. An optional parameter and a wildcard end the path. */
const pathParts = /(::)|(\/?):\w+(?:\((?:[^()]|\([^()]*\))*\))?(\?$)?|(\*$)|[^\w/]/g;

function patternOf(url: string): RegExp {
  const source = url.replace(pathParts, (part, colon, slash, optional, wildcard) => {
    if (colon !== undefined) return ':';
    if (wildcard !== undefined) return '.*';
    if (slash === undefined) return `\\${part}`;
    return optional === undefined ? `${slash}[^/]+` : `(?:${slash}[^/]+)?`;
  });
  return new RegExp(`^${source}/?$`);
}
