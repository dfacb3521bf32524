import {
  createServer,
  type IncomingMessage,
  maxHeaderSize,
  type RequestListener,
  type Server,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import type { OperationLimits } from '../../operation/limits.ts';
import { callbackId } from '../../subscriptions/callbackRoute.ts';
import { systemTimers, type Timers } from '../../time/timers.ts';
import { Admission } from '../admission/admission.ts';
import { type ApolloServerPlugin, createApolloPipeline, type Respond } from '../admission/apolloServer.ts';
import type { GatewayContext } from '../admission/clientRequest.ts';
import { KnownOperations } from '../admission/knownOperations.ts';
import { createPreflight, createVariablesCheck } from '../admission/preflight.ts';
import { EventStreams } from '../event-streams/eventStreams.ts';
import { StreamRequests } from '../event-streams/streamRequests.ts';
import { streamToken } from '../event-streams/streamToken.ts';
import { GoingAway } from '../goingAway.ts';
import { addGraphiqlRoutes, browserPage, hasGraphiql } from '../graphiql/graphiqlFiles.ts';
import type { SupergraphView } from '../supergraphView.ts';
import type { TransportLog } from '../transportLog.ts';
import { isWebSocketUpgrade, WebSockets } from '../websocket/webSockets.ts';
import { createIds } from '../workers/workerIds.ts';
import { WorkerLinks } from '../workers/workerLinks.ts';
import type { WorkerPlace } from '../workers/workerPlace.ts';
import { addAdminRoutes } from './adminRoutes.ts';
import { answerBrokenHttp } from './brokenHttp.ts';
import type { CorsOptions } from './cors.ts';
import { createGraphQLRoute } from './graphqlRoute.ts';
import { addHealthRoutes, type UnreadyReason } from './healthRoutes.ts';
import { InFlightRequests } from './inFlight.ts';

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
  readonly worker?: WorkerPlace | undefined;
  readonly supergraphs: SupergraphView;
  readonly respond: Respond;
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
  readonly readTimeout: number;
  /** Milliseconds after which a quiet stream shows that it lives. */
  readonly heartbeat: number;
  /** Milliseconds in which a WebSocket has to begin. */
  readonly initTimeout: number;
  /** Milliseconds in which a reserved event stream has to be opened. */
  readonly reservationTimeout: number;
  /** Who somebody is for limits, by the headers and the address of the connection. */
  readonly clientKey: (headers: ReadonlyMap<string, string>, address: string | undefined) => string;
  /** Real time when omitted. */
  readonly timers?: Timers;
  /** Characters of operation texts that are remembered: as checked, as parsed, and as persisted, each. */
  readonly rememberedCharacters: number;
  /** Where `bundleGraphiql` put its files. With it, a browser's GET of the GraphQL route gets
   *  GraphiQL, or a page that says what is missing. */
  readonly graphiqlDirectory?: string;
  readonly plugins?: readonly ApolloServerPlugin<GatewayContext>[];
  readonly unreadyReasons?: () => readonly UnreadyReason[];
  /** What operators should know although the gateway is ready. */
  readonly readyNotes?: () => readonly UnreadyReason[];
  /** Resolves when nothing more comes that is to be asked for here, once the running requests have ended. Until then
   *  connections are accepted. */
  readonly whileAsked?: () => Promise<void>;
  /** Adds routes of other parts before the server listens. `draining` is aborted when it begins to close. */
  readonly addPublicRoutes?: (server: FastifyInstance, draining: AbortSignal) => void;
  readonly addAdminRoutes?: (server: FastifyInstance) => void;
  readonly log: TransportLog;
}

export interface HttpServer {
  /** Resolves when both listeners accept connections; rejects where one cannot. */
  listen(): Promise<HttpAddresses>;
  /** Unready at once; ends when the running requests have ended, at the latest after `drainTimeout`. */
  close(): Promise<void>;
}

export interface HttpAddresses {
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
  const known = plugins.length === 0 ? new KnownOperations(options.rememberedCharacters) : undefined;
  if (known !== undefined) supergraphs.onChange(() => known.clear());
  const apollo = createApolloPipeline({
    supergraphs,
    respond: options.respond,
    introspection: security.introspection,
    csrf: security.csrf,
    isBatchingAllowed: limits.batchedOperations > 0,
    maxRecursiveSelections: limits.recursiveSelections,
    plugins,
    known,
    rememberedCharacters: options.rememberedCharacters,
    log,
  });
  const admission = new Admission({
    supergraphs,
    apollo,
    known,
    respond: options.respond,
    checkText: createPreflight({ limits, rememberedCharacters: options.rememberedCharacters }),
    checkVariables: createVariablesCheck(limits),
    batchedOperations: limits.batchedOperations,
  });
  const eventStreams = new EventStreams({
    streams: limits.eventStreams,
    streamsPerClient: limits.eventStreamsPerClient,
    operationsPerStream: limits.operationsPerSocket,
    bufferSize: options.bufferSize,
    readTimeout: options.readTimeout,
    heartbeat: options.heartbeat,
    reservationTimeout: options.reservationTimeout,
    timers,
    isDraining: () => isDraining,
    newToken: createIds(options.worker?.name),
  });
  const answerGraphQL = createGraphQLRoute({
    admission,
    streamRequests: new StreamRequests({ admission, eventStreams }),
    clientKey: options.clientKey,
    bodySize: limits.bodySize,
    bufferSize: options.bufferSize,
    readTimeout: options.readTimeout,
    heartbeat: options.heartbeat,
    timers,
    csrf: security.csrf,
    cors: security.cors,
    page: options.graphiqlDirectory === undefined ? undefined : browserPage(options.graphiqlDirectory),
    inFlight,
    isDraining: () => isDraining,
    log,
  });
  const webSockets = new WebSockets({
    admission,
    messageSize: limits.bodySize,
    webSockets: limits.webSockets,
    operationsPerSocket: limits.operationsPerSocket,
    bufferSize: options.bufferSize,
    readTimeout: options.readTimeout,
    heartbeat: options.heartbeat,
    initTimeout: options.initTimeout,
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
    otherReasons: options.unreadyReasons ?? (() => []),
    notes: options.readyNotes ?? (() => []),
  };

  const isForGraphQL = ({ url = '' }: IncomingMessage): boolean =>
    url === listen.path || (url.startsWith(listen.path) && url[listen.path.length] === '?');
  const links =
    options.worker === undefined
      ? undefined
      : new WorkerLinks({
          place: options.worker,
          idIn: (request) => {
            const { url = '' } = request;
            return isForGraphQL(request)
              ? streamToken(request, url.slice(listen.path.length))
              : callbackId(url);
          },
          drainStream: (token) => eventStreams.drainOne(token),
          inFlight,
          isDraining: () => isDraining,
          log,
        });
  const front = createFront({
    route: (answerOther) => {
      const answerHere: RequestListener = (request, response) =>
        isForGraphQL(request) ? answerGraphQL(request, response) : answerOther(request, response);
      return links === undefined ? answerHere : links.share(answerHere);
    },
    isWriting: (socket) => inFlight.isWriting(socket),
    takesUpgrade: (request) => isWebSocketUpgrade(request) && isForGraphQL(request),
    keepAliveTimeout: listen.keepAliveTimeout,
  });
  front.server.on('connection', (socket) => inFlight.watch(socket));
  front.server.on('upgrade', (request, socket, head) => webSockets.upgrade(request, socket, head));
  addHealthRoutes(front.routes, health);
  if (options.graphiqlDirectory !== undefined) {
    addGraphiqlRoutes(front.routes, options.graphiqlDirectory);
    if (!hasGraphiql(options.graphiqlDirectory)) {
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
      : createFront({
          route: (answerOther) => answerOther,
          isWriting: () => false,
          takesUpgrade: () => false,
          keepAliveTimeout: listen.keepAliveTimeout,
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
    inFlight.abortEndless(new GoingAway());
    webSockets.drain();
    eventStreams.drain();
    links?.drain();
    // Still accepting: a balancer must be able to see that this process is not ready any more.
    const drained = Promise.all([inFlight.ended(), webSockets.ended()]).then(async () => {
      await options.whileAsked?.();
      const closed = closeServer(front.server);
      await inFlight.ended();
      await closed;
    });
    const timer = Promise.withResolvers<void>();
    const timeout = setTimeout(timer.resolve, listen.drainTimeout);
    await Promise.race([drained, timer.promise]);
    clearTimeout(timeout);
    if (inFlight.size > 0 || webSockets.size > 0) {
      inFlight.abortAll(new GoingAway());
      webSockets.abortAll();
      // A turn for what the abort makes: streams end with their closing delimiter, the rest with an error.
      await new Promise((resolve) => setImmediate(resolve));
    }
    webSockets.terminateAll();
    await endServer(front);
    await links?.close();
    unwatch?.();
    if (back !== undefined) await endServer(back);
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

interface Front {
  readonly server: Server;
  readonly routes: FastifyInstance;
}

interface FrontOptions {
  readonly route: (answerOther: RequestListener) => RequestListener;
  readonly isWriting: (socket: Socket) => boolean;
  /** Requests for an upgrade that it does not take are answered as if they asked for none. */
  readonly takesUpgrade: (request: IncomingMessage) => boolean;
  /** Milliseconds. */
  readonly keepAliveTimeout: number;
}

/** A node:http server before a Fastify instance, which never listens itself. */
function createFront({ route, isWriting, takesUpgrade, keepAliveTimeout }: FrontOptions): Front {
  let server: Server | undefined;
  const routes = fastify({
    // Whatever Node lets through: a long token is answered like any other that is none.
    routerOptions: { maxParamLength: maxHeaderSize },
    clientErrorHandler: (error, socket) => answerBrokenHttp(error, socket, isWriting(socket)),
    serverFactory: (handler) => {
      server = createServer({ shouldUpgradeCallback: takesUpgrade, keepAliveTimeout }, route(handler));
      return server;
    },
  });
  if (server === undefined) throw new Error('Fastify made no server.');
  return { server, routes: routes as unknown as FastifyInstance };
}

async function startListening(front: Front, { host, port }: { host: string; port: number }): Promise<string> {
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

async function endServer({ server, routes }: Front): Promise<void> {
  const closed = closeServer(server);
  server.closeAllConnections();
  await closed;
  await routes.close();
}
