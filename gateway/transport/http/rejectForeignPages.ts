import type { FastifyInstance } from 'fastify';
import { isLoopback } from '../../config/isLoopback.ts';
import { isSameHost } from './cors.ts';
import { isLocalHost } from './localHosts.ts';
import { sendProblem } from './rawBodyRoutes.ts';

/** Refuses what a browser sends to a listener without authentication for the page of another site: requests with another
 *  `origin`, and, if only this machine can connect (`listenHost`), those whose `host` is a name of the Internet, which an
 *  attacker can let point to this machine (DNS rebinding). Called before routes are added. */
export function rejectForeignPages(server: FastifyInstance, listenHost: string): void {
  const isLocal = isLoopback(listenHost);
  server.addHook('onRequest', async (request, reply) => {
    const { host = '', origin } = request.headers;
    const isOwnPage = origin === undefined || isSameHost(origin, host);
    if (isOwnPage && (!isLocal || isLocalHost(host))) return;
    return sendProblem(
      reply.header('cache-control', 'no-store'),
      403,
      isOwnPage
        ? 'The host of the request is neither localhost nor an address, although only this machine can connect (admin.host). A proxy on this machine has to send the host of the listener.'
        : 'Pages of another origin may not use the admin listener. A proxy in front of it has to pass on the host of the browser.',
    );
  });
}
