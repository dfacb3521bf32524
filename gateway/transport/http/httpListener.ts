import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  maxHeaderSize,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import { ClientDisconnectedError } from '../../admission/httpError.ts';
import type { TransportLog } from '../../telemetry/logger.ts';
import { closeStalledReplies } from './closeStalledReplies.ts';
import type { CompressionPolicy } from './compression.ts';
import { compressReplies } from './compressReplies.ts';
import { FurtherSockets } from './furtherSockets.ts';
import type { InFlightRequests } from './inFlightRequests.ts';
import { addressText, type ListenerAddress, toListenError } from './listenError.ts';
import type { ListenerTimeouts } from './listenerTimeouts.ts';
import { sendProblem } from './rawBodyRoutes.ts';
import { type KnownRoute, rejectUnknownRoutes } from './rejectUnknownRoutes.ts';
import { respondToMalformedHttp } from './respondToMalformedHttp.ts';
import { securityHeaders } from './securityHeaders.ts';
import { createTlsServer, type ListenerCertificates, type TlsServer } from './tlsServer.ts';

/** A listening port: a server with the API of node:http, and the Fastify instance behind it. */
export interface HttpListener {
  readonly server: Server;
  /** Set if the listener uses TLS. */
  readonly tls: TlsServer | undefined;
  readonly furtherSockets: FurtherSockets;
  readonly routes: FastifyInstance;
  /** The routes that were added to `routes`, by URL. */
  readonly knownRoutes: ReadonlyMap<string, KnownRoute>;
}

interface HttpListenerOptions {
  readonly route: (handleOther: RequestListener) => RequestListener;
  readonly inFlight: Pick<InFlightRequests, 'closeAfterResponses' | 'isWriting'>;
  /** Other upgrade requests are handled as requests without an upgrade. */
  readonly acceptsUpgrade: (request: IncomingMessage) => boolean;
  readonly timeouts: ListenerTimeouts;
  /** Milliseconds within which a client has to read something of a large reply. */
  readonly readTimeoutMs: number;
  readonly compression: CompressionPolicy;
  /** Where clients find GraphQL, for requests without a route. */
  readonly notFoundAdvice: string;
  /** `undefined` for HTTP without TLS. */
  readonly tls?: ListenerCertificates | undefined;
  readonly log: TransportLog;
}

const securityHeaderEntries = Object.entries(securityHeaders);

/** How often node:http looks for slow requests. It does not notice them earlier. */
const maxTimeoutCheckIntervalMs = 1_000;

/** Creates a node:http server whose `route` passes other requests to a Fastify instance. */
export function createHttpListener({
  route,
  inFlight,
  acceptsUpgrade,
  timeouts,
  readTimeoutMs,
  compression,
  notFoundAdvice,
  tls: certificates,
  log,
}: HttpListenerOptions): HttpListener {
  let server: Server | undefined;
  let tls: TlsServer | undefined;
  const routes = fastify({
    schemaController: { compilersFactory: { buildValidator: refuseSchemas, buildSerializer: refuseSchemas } },
    // As long as Node allows, so that a long invalid token gets the route's own response.
    routerOptions: { maxParamLength: maxHeaderSize },
    frameworkErrors: refuseInvalidPath,
    clientErrorHandler: (error, socket) => respondToMalformedHttp(error, socket, inFlight),
    serverFactory: (handler) => {
      const handleOther: RequestListener = (request, response) => {
        for (const [name, value] of securityHeaderEntries) response.setHeader(name, value);
        handler(request, response);
      };
      const http = {
        headersTimeout: timeouts.headers,
        requestTimeout: timeouts.request,
        keepAliveTimeout: timeouts.keepAlive,
        connectionsCheckingInterval: Math.min(maxTimeoutCheckIntervalMs, timeouts.headers),
      };
      if (certificates === undefined) {
        server = createServer({ ...http, shouldUpgradeCallback: acceptsUpgrade }, route(handleOther));
      } else {
        tls = createTlsServer(
          { certificates, timeouts, readTimeoutMs, http, acceptsUpgrade, log },
          route(handleOther),
        );
        server = tls.server;
      }
      server.on('checkContinue', (request, response) => {
        continueWhenRead(request, response);
        server?.emit('request', request, response);
      });
      // node:http would respond without a reason.
      server.on('checkExpectation', (request, response) => server?.emit('request', request, response));
      return server;
    },
  });
  if (server === undefined) throw new Error('Fastify did not call serverFactory.');
  reportFaults(routes, log);
  compressReplies(routes, compression);
  closeStalledReplies(routes, readTimeoutMs);
  return {
    server,
    tls,
    furtherSockets: new FurtherSockets(),
    routes,
    knownRoutes: rejectUnknownRoutes(routes, notFoundAdvice),
  };
}

/** Responds to a path that cannot be decoded. Fastify's own response has another form than those of the gateway. */
function refuseInvalidPath(_error: FastifyError, _request: unknown, reply: FastifyReply): void {
  reply.header('cache-control', 'no-store');
  sendProblem(reply, 400, 'The path of the request has an invalid percent-encoding.');
}

/** Logs unexpected errors of routes. Fastify would send their messages to the client, and log nothing. */
function reportFaults(routes: FastifyInstance, log: TransportLog): void {
  routes.setErrorHandler(async (err: FastifyError, { method, routeOptions }, reply) => {
    // Fastify refuses the request.
    if (err.statusCode !== undefined && err.statusCode < 500) throw err;
    if (!(err instanceof ClientDisconnectedError))
      log.error({ err, method, path: routeOptions.url }, 'A request failed with an unexpected error');
    return reply.code(500).type('application/json; charset=utf-8').send({ error: 'Internal server error' });
  });
}

/** Lets a client that waits for it (`Expect: 100-continue`) send its body when something reads the body: a request that is
 *  refused before that gets its response instead. */
function continueWhenRead(request: IncomingMessage, response: ServerResponse): void {
  const onListener = (event: string | symbol): void => {
    if (event !== 'data') return;
    request.off('newListener', onListener);
    response.writeContinue();
  };
  request.on('newListener', onListener);
}

/** Takes the place of Fastify's compilers of schemas, a tenth of all modules of a start: no route has a schema. */
function refuseSchemas(): never {
  throw new Error('Routes of the gateway cannot have schemas.');
}

/** Port 0 stands for any free port. */
interface ListenOptions extends ListenerAddress {
  /** Whether other processes listen on the port too. */
  readonly isPortShared: boolean;
  /** Whether many clients may connect at once. */
  readonly isForClients: boolean;
}

/** Starts listening; returns the URL without a path.
 *  @throws when the port is not available. */
export async function startListening(listener: HttpListener, options: ListenOptions): Promise<string> {
  const { tls, routes } = listener;
  await routes.ready();
  const port = await listen(listener, options).catch((error: unknown) => {
    throw toListenError(error, options);
  });
  return `${tls === undefined ? 'http' : 'https'}://${addressText(options.host, port)}`;
}

/** Returns the port. */
async function listen(
  { server, tls, furtherSockets }: HttpListener,
  { host, port, isPortShared, isForClients }: ListenOptions,
): Promise<number> {
  // Linux spreads the connections evenly over the sockets on one port. Node's cluster module shares one socket elsewhere, and
  // for operators: a process that has stopped accepts nothing, and another one answers the probe or the scrape.
  const reusePort = isForClients && process.platform === 'linux';
  if (reusePort && !isPortShared && port !== 0) await checkPort(host, port);
  server.listen({ port, host, reusePort });
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  if (reusePort) {
    await furtherSockets.listen(address, server, { allowHalfOpen: tls === undefined });
  }
  return address.port;
}

/** @throws when another process listens on the port: with `reusePort`, Linux would let them share it. */
async function checkPort(host: string, port: number): Promise<void> {
  const server = createNetServer().listen(port, host);
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}

/** Stops accepting connections; resolves when all connections are closed. */
export function closeServer({ server, furtherSockets }: HttpListener): Promise<void> {
  return new Promise((resolve) => {
    // `close` ends the connections that are idle now. Those whose responses end later would stay open.
    const timer = setInterval(() => server.closeIdleConnections(), idleCheckMs);
    const furtherClosed = furtherSockets.close();
    // Called with an error when the server did not listen.
    server.close(async () => {
      await furtherClosed;
      clearInterval(timer);
      resolve();
    });
  });
}

/** How soon a connection that has become idle is closed. */
const idleCheckMs = 50;

/** Closes the listener with its connections. */
export async function closeListener(listener: HttpListener): Promise<void> {
  const { server, routes, tls } = listener;
  const closed = closeServer(listener);
  if (tls === undefined) server.closeAllConnections();
  else tls.destroy();
  await closed;
  await routes.close();
}
