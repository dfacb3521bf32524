import {
  createServer,
  type IncomingMessage,
  maxHeaderSize,
  type RequestListener,
  type Server,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import type { CompressionPolicy } from './compression.ts';
import { compressReplies } from './compressReplies.ts';
import { rejectUnknownRoutes } from './rejectUnknownRoutes.ts';
import { respondToMalformedHttp } from './respondToMalformedHttp.ts';
import { securityHeaders } from './securityHeaders.ts';

/** A listening port: a node:http server, and the Fastify instance behind it. */
interface HttpListener {
  readonly server: Server;
  readonly routes: FastifyInstance;
}

interface HttpListenerOptions {
  readonly route: (handleOther: RequestListener) => RequestListener;
  readonly isWriting: (socket: Socket) => boolean;
  /** Other upgrade requests are handled as requests without an upgrade. */
  readonly acceptsUpgrade: (request: IncomingMessage) => boolean;
  readonly timeouts: ListenerTimeouts;
  readonly compression: CompressionPolicy;
}

/** In milliseconds. */
export interface ListenerTimeouts {
  /** Time for the headers of a request to arrive. */
  readonly headers: number;
  /** Time for a whole request to arrive. At least `headers`. */
  readonly request: number;
  /** Time after which an idle connection is closed. */
  readonly keepAlive: number;
}

/** How often node:http looks for slow requests. It does not notice them earlier. */
const maxTimeoutCheckIntervalMs = 1_000;

/** Creates a node:http server whose `route` hands other requests to a Fastify instance. */
export function createHttpListener({
  route,
  isWriting,
  acceptsUpgrade,
  timeouts,
  compression,
}: HttpListenerOptions): HttpListener {
  let server: Server | undefined;
  const routes = fastify({
    // As long as Node allows, so that a long invalid token gets the route's own response.
    routerOptions: { maxParamLength: maxHeaderSize },
    clientErrorHandler: (error, socket) => respondToMalformedHttp(error, socket, isWriting(socket)),
    serverFactory: (handler) => {
      const handleOther: RequestListener = (request, response) => {
        response.setHeaders(new Map(Object.entries(securityHeaders)));
        handler(request, response);
      };
      server = createServer(
        {
          shouldUpgradeCallback: acceptsUpgrade,
          headersTimeout: timeouts.headers,
          requestTimeout: timeouts.request,
          keepAliveTimeout: timeouts.keepAlive,
          connectionsCheckingInterval: Math.min(maxTimeoutCheckIntervalMs, timeouts.headers),
        },
        route(handleOther),
      );
      return server;
    },
  });
  if (server === undefined) throw new Error('Fastify did not call serverFactory.');
  compressReplies(routes, compression);
  rejectUnknownRoutes(routes);
  return { server, routes };
}

/** Starts listening; returns the URL without a path. `isPortShared`: other processes listen on the port too.
 *  @throws when the port is not available. */
export async function startListening(
  { server, routes }: HttpListener,
  { host, port }: { host: string; port: number },
  isPortShared: boolean,
): Promise<string> {
  await routes.ready();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // Linux spreads the connections evenly over the sockets on one port. Elsewhere, Node's cluster module shares one socket.
    const reusePort = isPortShared && process.platform === 'linux';
    server.listen({ port, host, reusePort }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

/** Stops accepting connections; resolves when all connections are closed. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // Called with an error when the server did not listen.
    server.close(() => resolve());
  });
}

/** Closes the listener with its connections. */
export async function closeListener({ server, routes }: HttpListener): Promise<void> {
  const closed = closeServer(server);
  server.closeAllConnections();
  await closed;
  await routes.close();
}
