import {
  createServer,
  type IncomingMessage,
  maxHeaderSize,
  type RequestListener,
  type Server,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { Admission } from '../../admission/admission.ts';
import {
  type ApolloServerPlugin,
  createApolloPipeline,
  type ExecuteOperation,
} from '../../admission/apolloPipeline.ts';
import type { GatewayContext } from '../../admission/clientRequest.ts';
import { createErrorFormatter } from '../../admission/errorResponse.ts';
import { createTextLimitCheck, createVariableDepthCheck } from '../../admission/limitChecks.ts';
import { ValidatedOperationCache } from '../../admission/validatedOperationCache.ts';
import type { OperationLimits } from '../../operation/operationLimits.ts';
import type { SupergraphView } from '../../supergraph/supergraphView.ts';
import type { TransportLog } from '../../telemetry/transportLog.ts';
import { systemTimers, type Timers } from '../../time/timers.ts';
import { EventStreamRegistry } from '../event-streams/eventStreamRegistry.ts';
import { EventStreamRequests } from '../event-streams/eventStreamRequests.ts';
import { readStreamToken } from '../event-streams/readStreamToken.ts';
import { GatewayShutdownError } from '../gatewayShutdownError.ts';
import { addGraphiqlRoutes, createBrowserPage, hasGraphiqlBundle } from '../graphiql/graphiqlFiles.ts';
import { isWebSocketUpgrade, WebSocketRegistry } from '../websocket/webSocketRegistry.ts';
import type { WorkerIdentity } from '../workers/workerIdentity.ts';
import { createIdGenerator } from '../workers/workerIds.ts';
import { WorkerProxy } from '../workers/workerProxy.ts';
import { addAdminRoutes } from './adminRoutes.ts';
import type { CorsOptions } from './cors.ts';
import { createGraphQLRoute } from './graphqlRoute.ts';
import { addHealthRoutes, type UnreadyReason } from './healthRoutes.ts';
import { InFlightRequests } from './inFlightRequests.ts';
import { respondToMalformedHttp } from './respondToMalformedHttp.ts';

export interface HttpServerOptions {
  readonly listen: {
    readonly host: string;
    readonly port: number;
    readonly path: string;
    /** Milliseconds that a connection without a request is kept. */
    readonly keepAliveTimeout: number;
    /** Milliseconds that running requests get when the server closes. */
    readonly drainTimeout: number;
  };
  /** Where operators look; `undefined` for none. */
  readonly admin: { readonly host: string; readonly port: number } | undefined;
  /** Which one this is of several processes that share the public listener's port. */
  readonly worker?: WorkerIdentity | undefined;
  readonly supergraphs: SupergraphView;
  readonly executeOperation: ExecuteOperation;
  readonly explain: (operation: string, overrides: readonly string[]) => Promise<string>;
  readonly limits: OperationLimits & {
    readonly bodySize: number;
    readonly batchedOperations: number;
    readonly webSockets: number;
    /** On one WebSocket, or one event stream. */
    readonly operationsPerSocket: number;
    /** Event streams on which clients have several operations; 0 for none. */
    readonly eventStreams: number;
    readonly eventStreamsPerClient: number;
  };
  readonly security: {
    readonly introspection: boolean;
    readonly csrf: boolean;
    /** Names of a WebSocket's parameters that count as headers, in lower case. */
    readonly connectionParams: readonly string[];
    /** Names of those that may travel to subgraphs. */
    readonly subgraphParams: readonly string[];
    readonly cors?: CorsOptions;
  };
  /** Bytes that may wait for a client that reads slowly. */
  readonly bufferSize: number;
  readonly readTimeoutMs: number;
  /** Milliseconds after which a quiet stream shows that it lives. */
  readonly heartbeatIntervalMs: number;
  /** Milliseconds in which a WebSocket has to begin. */
  readonly initTimeoutMs: number;
  /** Milliseconds in which a reserved event stream has to be opened. */
  readonly reservationTimeoutMs: number;
  /** Who somebody is for limits, by the headers and the address of the connection. */
  readonly clientKey: (headers: ReadonlyMap<string, string>, address: string | undefined) => string;
  /** Real time when omitted. */
  readonly timers?: Timers;
  /** Characters of operation texts that are remembered: as checked, as parsed, and as persisted, each. */
  readonly textCacheSize: number;
  /** Where `bundleGraphiql` put its files. With it, a browser's GET of the GraphQL route gets
   *  GraphiQL, or a page that says what is missing. */
  readonly graphiqlDirectory?: string;
  readonly plugins?: readonly ApolloServerPlugin<GatewayContext>[];
  readonly unreadyReasons?: () => readonly UnreadyReason[];
  /** What operators should know although the gateway is ready. */
  readonly readinessNotes?: () => readonly UnreadyReason[];
  /** Resolves when nothing more comes that is to be asked for here, once the running requests have ended. Until then
   *  connections are accepted. */
  readonly onRequestsEnded?: () => Promise<void>;
  /** Adds routes of other parts before the server listens. `draining` is aborted when it begins to close. */
  readonly addPublicRoutes?: (server: FastifyInstance, draining: AbortSignal) => void;
  /** The id in the URL of a public route of another part, where the worker that gave out the id has to answer. */
  readonly resourceIdOf?: (url: string) => string | undefined;
  readonly addAdminRoutes?: (server: FastifyInstance) => void;
  readonly log: TransportLog;
}

export interface HttpServer {
  /** Resolves when both listeners accept connections; rejects where one cannot. */
  listen(): Promise<HttpAddresses>;
  /** Unready at once; ends when the running requests have ended, at the latest after `drainTimeout`. */
  close(): Promise<void>;
}

interface HttpAddresses {
  /** Of the GraphQL route. */
  readonly url: string;
  /** Of the admin listener, without a path. */
  readonly adminUrl: string | undefined;
}

/** The public listener, with the GraphQL route directly on node:http and Fastify for all others, and the
 *  admin listener. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { listen, supergraphs, limits, security, log } = options;
  const timers = options.timers ?? systemTimers;
  const inFlight = new InFlightRequests();
  let isDraining = false;
  const plugins = options.plugins ?? [];
  const known = plugins.length === 0 ? new ValidatedOperationCache(options.textCacheSize) : undefined;
  if (known !== undefined) supergraphs.onChange(() => known.clear());
  const apollo = createApolloPipeline({
    supergraphs,
    executeOperation: options.executeOperation,
    introspection: security.introspection,
    csrf: security.csrf,
    isBatchingAllowed: limits.batchedOperations > 0,
    maxRecursiveSelections: limits.recursiveSelections,
    plugins,
    validatedOperations: known,
    textCacheSize: options.textCacheSize,
    log,
  });
  const admission = new Admission({
    supergraphs,
    apollo,
    validatedOperations: known,
    executeOperation: options.executeOperation,
    formatError: createErrorFormatter(security),
    checkText: createTextLimitCheck({ limits, textCacheSize: options.textCacheSize }),
    checkVariables: createVariableDepthCheck(limits),
    maxBatchedOperations: limits.batchedOperations,
  });
  const eventStreams = new EventStreamRegistry({
    maxStreams: limits.eventStreams,
    maxStreamsPerClient: limits.eventStreamsPerClient,
    maxOperations: limits.operationsPerSocket,
    bufferSize: options.bufferSize,
    readTimeoutMs: options.readTimeoutMs,
    heartbeatIntervalMs: options.heartbeatIntervalMs,
    reservationTimeoutMs: options.reservationTimeoutMs,
    timers,
    isDraining: () => isDraining,
    newToken: createIdGenerator(options.worker?.name),
  });
  const answerGraphQL = createGraphQLRoute({
    admission,
    eventStreamRequests: new EventStreamRequests({ admission, eventStreams }),
    clientKey: options.clientKey,
    bodySize: limits.bodySize,
    bufferSize: options.bufferSize,
    readTimeoutMs: options.readTimeoutMs,
    heartbeatIntervalMs: options.heartbeatIntervalMs,
    timers,
    csrf: security.csrf,
    cors: security.cors,
    browserPage:
      options.graphiqlDirectory === undefined ? undefined : createBrowserPage(options.graphiqlDirectory),
    inFlight,
    isDraining: () => isDraining,
    log,
  });
  const webSockets = new WebSocketRegistry({
    admission,
    maxMessageBytes: limits.bodySize,
    maxConnections: limits.webSockets,
    maxOperations: limits.operationsPerSocket,
    bufferSize: options.bufferSize,
    readTimeoutMs: options.readTimeoutMs,
    heartbeatIntervalMs: options.heartbeatIntervalMs,
    initTimeoutMs: options.initTimeoutMs,
    timers,
    connectionParams: new Set(security.connectionParams),
    subgraphParams: new Set(security.subgraphParams),
    csrf: security.csrf,
    cors: security.cors,
    isDraining: () => isDraining,
    log,
  });
  const health = {
    supergraphs,
    isDraining: () => isDraining,
    unreadyReasons: options.unreadyReasons ?? (() => []),
    notes: options.readinessNotes ?? (() => []),
  };

  const isForGraphQL = ({ url = '' }: IncomingMessage): boolean =>
    url === listen.path || (url.startsWith(listen.path) && url[listen.path.length] === '?');
  const links =
    options.worker === undefined
      ? undefined
      : new WorkerProxy({
          worker: options.worker,
          resourceIdOf: (request) => {
            const { url = '' } = request;
            return isForGraphQL(request)
              ? readStreamToken(request, url.slice(listen.path.length))
              : options.resourceIdOf?.(url);
          },
          drainStream: (token) => eventStreams.drainStream(token),
          inFlight,
          isDraining: () => isDraining,
          log,
        });
  const front = createHttpListener({
    route: (answerOther) => {
      const answerHere: RequestListener = (request, response) =>
        isForGraphQL(request) ? answerGraphQL(request, response) : answerOther(request, response);
      return links === undefined ? answerHere : links.createRequestListener(answerHere);
    },
    isWriting: (socket) => inFlight.isWriting(socket),
    acceptsUpgrade: (request) => isWebSocketUpgrade(request) && isForGraphQL(request),
    keepAliveTimeoutMs: listen.keepAliveTimeout,
  });
  front.server.on('connection', (socket) => inFlight.watch(socket));
  front.server.on('upgrade', (request, socket, head) => webSockets.upgrade(request, socket, head));
  addHealthRoutes(front.routes, health);
  if (options.graphiqlDirectory !== undefined) {
    addGraphiqlRoutes(front.routes, options.graphiqlDirectory);
    if (!hasGraphiqlBundle(options.graphiqlDirectory)) {
      log.warn(
        { directory: options.graphiqlDirectory },
        'GraphiQL is on, but not built: npm run build makes it',
      );
    }
  }
  const draining = new AbortController();
  options.addPublicRoutes?.(front.routes, draining.signal);

  const back =
    options.admin === undefined
      ? undefined
      : createHttpListener({
          route: (answerOther) => answerOther,
          isWriting: () => false,
          acceptsUpgrade: () => false,
          keepAliveTimeoutMs: listen.keepAliveTimeout,
        });
  let unwatch: (() => void) | undefined;
  if (back !== undefined) {
    addHealthRoutes(back.routes, health);
    unwatch = addAdminRoutes(back.routes, { supergraphs, explain: options.explain });
    options.addAdminRoutes?.(back.routes);
  }

  const close = async (): Promise<void> => {
    isDraining = true;
    draining.abort();
    inFlight.abortSubscriptions(new GatewayShutdownError());
    webSockets.drain();
    eventStreams.drain();
    links?.drain();
    // Still accepting: a balancer must be able to see that this process is not ready any more.
    const drained = Promise.all([inFlight.waitForEnd(), webSockets.waitForEnd()]).then(async () => {
      await options.onRequestsEnded?.();
      const closed = closeServer(front.server);
      await inFlight.waitForEnd();
      await closed;
    });
    const timer = Promise.withResolvers<void>();
    const timeout = setTimeout(timer.resolve, listen.drainTimeout);
    await Promise.race([drained, timer.promise]);
    clearTimeout(timeout);
    if (inFlight.size > 0 || webSockets.size > 0) {
      inFlight.abortAll(new GatewayShutdownError());
      webSockets.abortAll();
      // A turn for what the abort makes: streams end with their closing delimiter, the rest with an error.
      await new Promise((resolve) => setImmediate(resolve));
    }
    webSockets.terminateAll();
    await closeListener(front);
    await links?.close();
    unwatch?.();
    if (back !== undefined) await closeListener(back);
    await apollo.stop();
  };

  let closing: Promise<void> | undefined;
  return {
    async listen() {
      await links?.listen();
      const address = await startListening(front, listen);
      const adminAddress =
        back === undefined || options.admin === undefined
          ? undefined
          : await startListening(back, options.admin);
      return {
        url: `${address}${listen.path}`,
        adminUrl: adminAddress,
      };
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

interface HttpListener {
  readonly server: Server;
  readonly routes: FastifyInstance;
}

interface HttpListenerOptions {
  readonly route: (answerOther: RequestListener) => RequestListener;
  readonly isWriting: (socket: Socket) => boolean;
  /** Requests for an upgrade that it does not take are answered as if they asked for none. */
  readonly acceptsUpgrade: (request: IncomingMessage) => boolean;
  /** Milliseconds. */
  readonly keepAliveTimeoutMs: number;
}

/** A node:http server before a Fastify instance, which never listens itself. */
function createHttpListener({
  route,
  isWriting,
  acceptsUpgrade,
  keepAliveTimeoutMs,
}: HttpListenerOptions): HttpListener {
  let server: Server | undefined;
  const routes = fastify({
    // Whatever Node lets through: a long token is answered like any other that is none.
    routerOptions: { maxParamLength: maxHeaderSize },
    clientErrorHandler: (error, socket) => respondToMalformedHttp(error, socket, isWriting(socket)),
    serverFactory: (handler) => {
      server = createServer(
        { shouldUpgradeCallback: acceptsUpgrade, keepAliveTimeout: keepAliveTimeoutMs },
        route(handler),
      );
      return server;
    },
  });
  if (server === undefined) throw new Error('Fastify made no server.');
  return { server, routes: routes as unknown as FastifyInstance };
}

async function startListening(
  front: HttpListener,
  { host, port }: { host: string; port: number },
): Promise<string> {
  await front.routes.ready();
  await new Promise<void>((resolve, reject) => {
    front.server.once('error', reject);
    front.server.listen(port, host, () => {
      front.server.off('error', reject);
      resolve();
    });
  });
  const address = front.server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // The error says that it did not listen: then there is nothing to wait for.
    server.close(() => resolve());
  });
}

async function closeListener({ server, routes }: HttpListener): Promise<void> {
  const closed = closeServer(server);
  server.closeAllConnections();
  await closed;
  await routes.close();
}
