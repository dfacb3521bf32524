import type { IncomingMessage, RequestListener } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { type Authentication, HeaderAuthentication } from '../../admission/authentication/authentication.ts';
import { type AdmissionSettings, createAdmission } from '../../admission/createAdmission.ts';
import { createIdentityReader } from '../../admission/identity.ts';
import type { TrafficControl } from '../../admission/trafficControl.ts';
import type { RequestRecorder } from '../../telemetry/requestRecorder.ts';
import { systemTimers } from '../../time/timers.ts';
import { EventStreamRegistry } from '../event-streams/eventStreamRegistry.ts';
import { EventStreamRequests, readStreamToken } from '../event-streams/eventStreamRequests.ts';
import { addGraphiqlRoutes, createBrowserPage } from '../graphiql/graphiqlFiles.ts';
import type { GraphiqlSettings } from '../graphiql/graphiqlSettings.ts';
import type { StreamSettings } from '../streams/streamSettings.ts';
import { isWebSocketUpgrade, WebSocketRegistry } from '../websocket/webSocketRegistry.ts';
import type { WorkerCalls } from '../workers/workerCalls.ts';
import { createIdGenerator, type WorkerIdentity } from '../workers/workerIdentity.ts';
import { WorkerProxy } from '../workers/workerProxy.ts';
import { addAdminRoutes } from './adminRoutes.ts';
import { createClientAddressReader } from './clientAddress.ts';
import { type CompressionOptions, CompressionPolicy } from './compression.ts';
import { type CorsOptions, CorsPolicy } from './cors.ts';
import { createGraphQLRoute } from './graphqlRoute.ts';
import { addHealthRoutes, type HealthOptions, type UnreadyReason } from './healthRoutes.ts';
import { createHostCheck } from './hostCheck.ts';
import { createHttpListener, type HttpListener } from './httpListener.ts';
import { InFlightRequests } from './inFlightRequests.ts';
import { limitRequestsAtOnce } from './limitRequestsAtOnce.ts';
import type { ListenerTimeouts } from './listenerTimeouts.ts';
import { findMalformedHeaders } from './malformedHeaders.ts';
import { createMountedGateway, type MountedGateway, type StartOptions } from './mountedGateway.ts';
import { rejectForeignPages } from './rejectForeignPages.ts';
import { inRequestScope } from './requestScope.ts';
import { rewriteToOriginForm } from './requestTarget.ts';
import { rejectRequest } from './respondToMalformedHttp.ts';
import { type HttpAddresses, ServerLifecycle } from './serverLifecycle.ts';
import type { ListenerCertificates } from './tlsServer.ts';

export interface HttpServerOptions extends Omit<StreamSettings, 'timers'>, AdmissionSettings {
  readonly listen: {
    readonly host: string;
    readonly port: number;
    readonly path: string;
    /** An address whose host is allowed by `security.checkHost`. */
    readonly publicUrl?: string;
    readonly timeouts: ListenerTimeouts;
    /** Ranges of addresses. Default: none. */
    readonly trustedProxies?: readonly string[];
    /** Default: no TLS. */
    readonly tls?: { readonly cert: string };
    /** Default: responses are not compressed. */
    readonly compression?: CompressionOptions;
    /** Milliseconds within which running requests may end when the server closes. */
    readonly drainTimeout: number;
  };
  /** What the files of `listen.tls` contain. */
  readonly certificates: ListenerCertificates;
  /** The admin listener; `undefined` for none. */
  readonly admin: { readonly host: string; readonly port: number } | undefined;
  /** Identifies this process among several that share the public listener's port. */
  readonly worker?: WorkerIdentity | undefined;
  /** Calls between these processes. */
  readonly workerCalls?: WorkerCalls | undefined;
  /** Records requests in metrics and the access log. Default: nothing is recorded. */
  readonly recorder?: RequestRecorder | undefined;
  /** Default: clients are distinguished by their addresses only. */
  readonly authentication?: Authentication;
  /** See `TrafficControl.holdBack`. Default: no request waits. */
  readonly holdBack?: TrafficControl['holdBack'];
  readonly explain: (operation: string, overrides: readonly string[]) => Promise<string>;
  readonly limits: AdmissionSettings['limits'] & {
    readonly bodySize: number;
    readonly webSockets: number;
    readonly webSocketsPerClient: number;
    /** Maximum on one WebSocket or event stream. */
    readonly operationsPerSocket: number;
    /** Maximum number of event streams for several operations each; 0 turns them off. */
    readonly eventStreams: number;
    readonly eventStreamsPerClient: number;
  };
  readonly security: AdmissionSettings['security'] & {
    readonly csrf: boolean;
    /** Whether the `host` of requests is checked. Default: no. */
    readonly checkHost?: boolean;
    /** Names of WebSocket connection parameters that are used as headers, in lower case. */
    readonly connectionParams: readonly string[];
    /** Names of WebSocket connection parameters that are forwarded to subgraphs. */
    readonly subgraphParams: readonly string[];
    readonly cors?: CorsOptions;
  };
  /** Status of an invalid operation in `application/json`. Default: 400. */
  readonly requestErrorStatus?: 400 | 200;
  /** The output directory of `bundleGraphiql`. When set, a browser's GET of the GraphQL route gets GraphiQL, or a page that
   *  says that the bundle is missing. */
  readonly graphiqlDirectory?: string;
  /** Default: one tab, and no explanations. */
  readonly graphiqlSettings?: GraphiqlSettings;
  /** Why the gateway should get no requests at present although it has a supergraph. */
  readonly unreadyReasons?: () => readonly UnreadyReason[];
  /** Problems that `/health/ready` reports although the gateway is ready. */
  readonly readinessNotes?: () => readonly UnreadyReason[];
  /** Called while closing, when the running requests have ended. Connections are accepted until the promise resolves. */
  readonly onRequestsEnded?: () => Promise<void>;
  /** Adds the features' routes. `draining` is aborted when the server starts to close. */
  readonly addPublicRoutes?: (server: FastifyInstance, draining: AbortSignal) => void;
  /** The id in the URL of a feature's route. With several workers, the worker that created the id handles the request. */
  readonly resourceIdOf?: (url: string) => string | undefined;
  readonly addAdminRoutes?: (server: FastifyInstance, draining: AbortSignal) => void;
}

export interface HttpServer extends MountedGateway {
  /** Resolves when the listeners accept connections: both, or those of `which`.
   *  @throws when a port is not available.
   *  @throws {GatewayShutdownError} when the server is closed before. */
  listen(which?: StartOptions): Promise<HttpAddresses>;
  /** Reports the gateway as not ready, and closes the connections of requests after their responses. Everything is still
   *  served. */
  announceShutdown(): void;
  /** Reports the gateway as not ready at once. Resolves when the running requests have ended, after `drainTimeout` at the
   *  latest. */
  close(): Promise<void>;
}

/** Creates the public listener and the admin listener. On the public listener, node:http serves the GraphQL route, and
 *  Fastify all other routes. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { listen, supergraphs, worker, log } = options;
  const dependencies = createDependencies(options, () => lifecycle.isShuttingDown);
  const { apollo, compression, draining, inFlight, streamSettings } = dependencies;
  const eventStreams = createEventStreams(options, dependencies);
  const webSockets = createWebSockets(options, dependencies);
  const workerProxy = worker && createWorkerProxy(options, worker, dependencies, eventStreams);
  const handleGraphQL = createGraphQLHandler(options, dependencies, eventStreams);
  const publicListener = createPublicListener(options, dependencies, {
    handleGraphQL,
    webSockets,
    workerProxy,
  });
  const health = {
    supergraphs,
    isShuttingDown: dependencies.isShuttingDown,
    reasons: () => [...apollo.unreadyReasons, ...(options.unreadyReasons?.() ?? [])],
    notes: options.readinessNotes ?? (() => []),
  };
  addHealthRoutes(publicListener.routes, health, 'clients');
  if (options.graphiqlDirectory !== undefined)
    addGraphiqlRoutes(publicListener.routes, options.graphiqlDirectory, log);
  options.addPublicRoutes?.(publicListener.routes, draining.signal);
  const mounted = createMountedGateway({
    path: listen.path,
    ready: async () => void (await publicListener.routes.ready()),
    routes: () => publicListener.knownRoutes.values(),
    handle: (request, response) => publicListener.server.emit('request', request, response),
    upgrade: (request, socket, head) => publicListener.server.emit('upgrade', request, socket, head),
    onConnection: (socket) => inFlight.watch(socket),
    state: () => lifecycle.state,
    log,
  });
  const lifecycle = new ServerLifecycle({
    publicListener,
    listen,
    adminListener: createAdminListener(options, { health, compression, draining: draining.signal }),
    admin: options.admin,
    isPortShared: worker !== undefined,
    inFlight,
    webSockets,
    eventStreams,
    workerProxy,
    draining,
    onRequestsEnded: options.onRequestsEnded,
    stopPlugins: () => apollo.stop(),
    timers: streamSettings.timers,
    log,
  });
  return {
    ...mounted,
    listen: (which = {}) => lifecycle.listen(which),
    announceShutdown: () => {
      lifecycle.isShuttingDown = true;
    },
    close: () => lifecycle.close(),
  };
}

type Dependencies = ReturnType<typeof createDependencies>;

/** Creates the objects that all transports of the public listener use. */
function createDependencies(options: HttpServerOptions, isShuttingDown: () => boolean) {
  const { listen, security } = options;
  const streamSettings: StreamSettings = {
    bufferSize: options.bufferSize,
    maxUnreadBytes: options.maxUnreadBytes,
    readTimeoutMs: options.readTimeoutMs,
    heartbeatIntervalMs: options.heartbeatIntervalMs,
    timers: options.timers ?? systemTimers,
  };
  const authentication = options.authentication ?? new HeaderAuthentication(createIdentityReader());
  const certificate = options.certificates.ofListener();
  const cors = new CorsPolicy(security.cors, certificate !== undefined);
  const draining = new AbortController();
  return {
    ...createAdmission(options, authentication),
    authentication,
    streamSettings,
    inFlight: new InFlightRequests(),
    tls: certificate && options.certificates,
    cors,
    compression: new CompressionPolicy(listen.compression, cors, certificate?.ca !== undefined),
    clientAddressOf: createClientAddressReader(listen.trustedProxies ?? []),
    checkHost: security.checkHost ? createHostCheck(listen) : () => undefined,
    isForGraphQL: ({ url = '' }: IncomingMessage): boolean =>
      url === listen.path || (url.startsWith(listen.path) && url[listen.path.length] === '?'),
    isShuttingDown,
    draining,
    isDraining: (): boolean => draining.signal.aborted,
  };
}

function createEventStreams(
  { limits, worker }: HttpServerOptions,
  { streamSettings, isDraining }: Dependencies,
): EventStreamRegistry {
  return new EventStreamRegistry({
    maxStreams: limits.eventStreams,
    maxStreamsPerClient: limits.eventStreamsPerClient,
    maxOperations: limits.operationsPerSocket,
    ...streamSettings,
    isDraining,
    newToken: createIdGenerator(worker?.name),
  });
}

function createGraphQLHandler(
  options: HttpServerOptions,
  dependencies: Dependencies,
  eventStreams: EventStreamRegistry,
): RequestListener {
  const { listen, limits, security, graphiqlDirectory, log } = options;
  const { admission } = dependencies;
  return createGraphQLRoute({
    admission,
    holdBack: options.holdBack ?? (() => undefined),
    recorder: options.recorder,
    eventStreamRequests: new EventStreamRequests({ admission, eventStreams }),
    clientAddressOf: dependencies.clientAddressOf,
    bodySize: limits.bodySize,
    streamSettings: dependencies.streamSettings,
    requestErrorStatus: options.requestErrorStatus ?? 400,
    csrf: security.csrf,
    cors: dependencies.cors,
    compression: dependencies.compression,
    browserPage:
      graphiqlDirectory === undefined
        ? undefined
        : createBrowserPage(graphiqlDirectory, listen.path, options.graphiqlSettings),
    inFlight: dependencies.inFlight,
    isShuttingDown: dependencies.isShuttingDown,
    isDraining: dependencies.isDraining,
    log,
  });
}

function createWebSockets(options: HttpServerOptions, dependencies: Dependencies): WebSocketRegistry {
  const { limits, security, log } = options;
  const { tokenHeader } = dependencies.authentication;
  return new WebSocketRegistry({
    admission: dependencies.admission,
    recorder: options.recorder,
    clientAddressOf: dependencies.clientAddressOf,
    maxMessageBytes: limits.bodySize,
    maxConnections: limits.webSockets,
    maxConnectionsPerClient: limits.webSocketsPerClient,
    maxOperations: limits.operationsPerSocket,
    ...dependencies.streamSettings,
    connectionParams: new Set([
      ...security.connectionParams,
      ...(tokenHeader === undefined ? [] : [tokenHeader]),
    ]),
    subgraphParams: new Set(security.subgraphParams),
    csrf: security.csrf,
    cors: dependencies.cors,
    checkHost: dependencies.checkHost,
    isDraining: dependencies.isDraining,
    log,
  });
}

function createWorkerProxy(
  { listen, readTimeoutMs, workerCalls, resourceIdOf, log }: HttpServerOptions,
  worker: WorkerIdentity,
  { isForGraphQL, inFlight, isShuttingDown, isDraining }: Dependencies,
  eventStreams: EventStreamRegistry,
): WorkerProxy {
  return new WorkerProxy({
    worker,
    calls: workerCalls,
    resourceIdOf: (request) => {
      const { url = '' } = request;
      return isForGraphQL(request)
        ? readStreamToken(request, url.slice(listen.path.length))
        : resourceIdOf?.(url);
    },
    drainStream: (token) => eventStreams.drainStream(token),
    inFlight,
    readTimeoutMs,
    isShuttingDown,
    isDraining,
    log,
  });
}

interface PublicHandlers {
  readonly handleGraphQL: RequestListener;
  readonly webSockets: WebSocketRegistry;
  readonly workerProxy: WorkerProxy | undefined;
}

function createPublicListener(
  { listen, readTimeoutMs, log }: HttpServerOptions,
  { isForGraphQL, checkHost, inFlight, compression, tls }: Dependencies,
  { handleGraphQL, webSockets, workerProxy }: PublicHandlers,
): HttpListener {
  const listener = createHttpListener({
    route: (handleOther) => {
      const handlePublic = inRequestScope((request, response) =>
        isForGraphQL(request) ? handleGraphQL(request, response) : handleOther(request, response),
      );
      const handle = workerProxy?.createRequestListener(handlePublic) ?? handlePublic;
      const handleChecked: RequestListener = (request, response) => {
        const problem = findMalformedHeaders(request) ?? checkHost(request.headers);
        if (problem !== undefined) return rejectRequest(request, response, problem);
        rewriteToOriginForm(request);
        handle(request, response);
      };
      return (request, response) => {
        if (!limitRequestsAtOnce(request, response, handleChecked)) handleChecked(request, response);
      };
    },
    inFlight,
    acceptsUpgrade: (request) => {
      if (!isWebSocketUpgrade(request)) return false;
      rewriteToOriginForm(request);
      return isForGraphQL(request);
    },
    timeouts: listen.timeouts,
    readTimeoutMs,
    compression,
    notFoundAdvice: `GraphQL is at ${listen.path} (listen.path).`,
    tls,
    log,
  });
  listener.server.on(tls === undefined ? 'connection' : 'secureConnection', (socket) =>
    inFlight.watch(socket),
  );
  listener.server.on('upgrade', (request, socket, head) => {
    // The response to a pipelined handshake would be sent before those to the requests in front of it.
    if (inFlight.isBusy(request.socket)) socket.destroy();
    else webSockets.upgrade(request, socket, head);
  });
  return listener;
}

interface AdminListenerDependencies {
  readonly health: HealthOptions;
  readonly compression: CompressionPolicy;
  readonly draining: AbortSignal;
}

/** Returns `undefined` if there is no admin listener. */
function createAdminListener(
  options: HttpServerOptions,
  { health, compression, draining }: AdminListenerDependencies,
): HttpListener | undefined {
  const { admin, listen, readTimeoutMs, supergraphs, explain, log } = options;
  if (admin === undefined) return undefined;
  const listener = createHttpListener({
    route: inRequestScope,
    inFlight: new InFlightRequests(),
    acceptsUpgrade: () => false,
    timeouts: listen.timeouts,
    readTimeoutMs,
    compression,
    notFoundAdvice:
      'This is the admin listener, with the page /insights; GraphQL is at the public one (listen.port).',
    log,
  });
  rejectForeignPages(listener.routes, admin.host);
  addHealthRoutes(listener.routes, health, 'operators');
  addAdminRoutes(listener.routes, { supergraphs, explain });
  options.addAdminRoutes?.(listener.routes, draining);
  return listener;
}
