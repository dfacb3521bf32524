import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { HttpError, shuttingDownError } from '../../admission/httpError.ts';
import type { TransportLog } from '../../telemetry/logger.ts';
import { isWebSocketUpgrade } from '../websocket/webSocketRegistry.ts';
import { originFormOf, pathOf, rewriteToOriginForm } from './requestTarget.ts';
import { addUpgradeMount } from './sharedUpgradeListener.ts';
import { refuseUpgrade, writeRejection } from './writeResponse.ts';

// The types of this file are public. They are not beside the lifecycles, whose types need those of packages that a user of
// the gateway may lack.

export interface StartOptions {
  /** Whether the public listener listens. Default: true. */
  readonly listen?: boolean;
  /** Whether the admin listener listens. Default: true. */
  readonly admin?: boolean;
}

/** The URLs of a gateway that listens. */
export interface GatewayAddresses {
  /** URL of the GraphQL route. */
  readonly url: string;
  readonly adminUrl: string;
}

/** The handlers of a gateway for an HTTP server of the application. */
export interface MountedGateway {
  /** Handles a request. Answers paths of which the gateway knows nothing with 404, or calls `next`, as middleware of
   *  Express does. `request.url` is the gateway's path, without a prefix of the application. */
  readonly handler: (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;
  /** Handles the event `upgrade` of `node:http`, for WebSockets. Answers other paths with 404. */
  readonly handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Adds the gateway's public routes and its WebSockets to a Fastify instance, below the `prefix` of `register`. The hooks
   *  of the instance run before both. */
  readonly fastifyPlugin: FastifyPluginAsync;
}

interface MountedGatewayOptions {
  /** Path of the GraphQL route. */
  readonly path: string;
  /** Resolves when `routes` is complete. */
  readonly ready: () => Promise<void>;
  /** The other public routes, such as `/callback/:id`. */
  readonly routes: () => Iterable<{ readonly url: string; readonly pattern: RegExp }>;
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Called with the connection of each request. */
  readonly onConnection: (socket: Socket) => void;
  readonly state: () => 'created' | 'started' | 'closed';
  readonly log: TransportLog;
}

/** Creates the handlers with which a server of the application serves the public routes. */
export function createMountedGateway(options: MountedGatewayOptions): MountedGateway {
  const { path, routes, handle, upgrade, onConnection, state, log } = options;

  const hasRoute = (url: string): boolean => {
    // The request itself is not changed: it may be another handler's, which may have removed a prefix from its URL.
    const requested = pathOf(originFormOf(url));
    return requested === path || [...routes()].some(({ pattern }) => pattern.test(requested));
  };

  const refusal = (): HttpError | undefined => {
    switch (state()) {
      case 'created':
        return new HttpError(503, 'The gateway has not started (gateway.start).', {
          code: 'SUPERGRAPH_UNAVAILABLE',
        });
      case 'closed':
        return shuttingDownError();
      default:
        return undefined;
    }
  };

  const handler: MountedGateway['handler'] = (request, response, next) => {
    if (next !== undefined && !hasRoute(request.url ?? '')) return next();
    const error = refusal() ?? findConsumedBody(request);
    if (error !== undefined) {
      if (error.status === 500) log.error({ url: pathOf(request.url ?? '') }, error.message);
      return writeRejection(response, error);
    }
    onConnection(request.socket);
    handle(request, response);
  };

  const handleUpgrade: MountedGateway['handleUpgrade'] = (request, socket, head) => {
    rewriteToOriginForm(request);
    const error = refusal() ?? findUpgradeError(request);
    if (error === undefined) return upgrade(request, socket, head);
    refuseUpgrade(socket, error);
  };

  function findUpgradeError(request: IncomingMessage): HttpError | undefined {
    if (pathOf(request.url ?? '') !== path)
      return new HttpError(404, 'The gateway has no WebSocket at this path.');
    if (isWebSocketUpgrade(request)) return undefined;
    return new HttpError(400, 'The gateway upgrades connections to WebSocket only.');
  }

  return { handler, handleUpgrade, fastifyPlugin: createFastifyPlugin(options, handler, handleUpgrade) };
}

function createFastifyPlugin(
  { path, ready, routes }: MountedGatewayOptions,
  handler: MountedGateway['handler'],
  handleUpgrade: MountedGateway['handleUpgrade'],
): FastifyPluginAsync {
  return async (app) => {
    const prefix = patternOfPrefix(app.prefix);
    await ready();
    const isOwn = (url: string): boolean => pathOf(withoutPrefix(url, prefix) ?? '') === path;
    const upgrades = new WeakMap<IncomingMessage, { socket: Duplex; head: Buffer }>();
    addFastifyRoutes(app, [path, ...Array.from(routes(), ({ url }) => url)], (request, response) => {
      const upgraded = upgrades.get(request);
      if (upgraded === undefined) return handler(request, response);
      const { socket, head } = upgraded;
      response.detachSocket(socket as Socket);
      handleUpgrade(request, socket, head);
    });
    const removeMount = addUpgradeMount(app.server, {
      owns: (request) => isOwn(originFormOf(request.url ?? '')),
      handle: (request, socket, head) => {
        if (!isOwn(originFormOf(request.url ?? ''))) {
          request.url = '';
          return handleUpgrade(request, socket, head);
        }
        // Fastify's router runs the hooks of the application before the route, which takes the socket. A hook that replies
        // refuses the WebSocket.
        upgrades.set(request, { socket, head });
        const response = new ServerResponse(request);
        response.shouldKeepAlive = false;
        response.once('finish', () => socket.end(() => socket.destroy()));
        // The client may disconnect meanwhile. An `error` event without a listener would end the process.
        socket.on('error', () => undefined);
        response.assignSocket(socket as Socket);
        app.routing(request, response);
      },
    });
    app.addHook('onClose', async () => removeMount());
  };
}

/** Matches the prefix of a plugin at the beginning of a URL. A parameter of Fastify's router is one part of the path. */
function patternOfPrefix(prefix: string): RegExp {
  const parts = prefix.replace(/\/$/, '').split('/');
  const sources = parts.map((part) => (part.startsWith(':') ? '[^/?]+' : part.replaceAll(/\W/g, '\\$&')));
  // The router of the application decides whether upper case counts.
  return new RegExp(`^${sources.join('/')}(?=[/?]|$)`, 'i');
}

/** A URL without its prefix, which begins with a slash; `undefined` for one without this prefix. */
function withoutPrefix(url: string, pattern: RegExp): string | undefined {
  const [prefix] = pattern.exec(url) ?? [];
  if (prefix === undefined) return undefined;
  const rest = url.slice(prefix.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** A request whose URL may lack a prefix. */
type RoutedRequest = IncomingMessage & { originalUrl?: string | undefined };

function restoreUrl(this: ServerResponse<RoutedRequest>): void {
  this.req.url = this.req.originalUrl;
}

function addFastifyRoutes(
  app: FastifyInstance,
  urls: Iterable<string>,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): void {
  const prefix = patternOfPrefix(app.prefix);
  // The gateway reads request bodies itself. The parsers of the application are not changed: a plugin has its own.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined));
  for (const url of new Set(urls)) {
    app.all(url, (request, reply) => {
      reply.hijack();
      const raw: RoutedRequest = request.raw;
      rewriteToOriginForm(raw);
      // As Express and its middleware do it.
      raw.originalUrl ??= raw.url;
      raw.url = withoutPrefix(raw.url ?? '', prefix) ?? raw.url;
      // Before the hooks `onResponse` of the application, which may log the URL.
      reply.raw.prependOnceListener('finish', restoreUrl);
      // The raw request has the headers of the client, and not those that a hook has assigned (`request.headers = …`).
      Object.assign(raw.headers, request.headers);
      handler(raw, reply.raw);
    });
  }
}

/** A body can be read once. Waiting for one that was read would never end. */
function findConsumedBody(request: IncomingMessage): HttpError | undefined {
  if (request.method !== 'POST' || !request.readableDidRead) return undefined;
  return new HttpError(
    500,
    'The request body was read before the request reached the gateway. Mount the gateway before body parsers such as express.json().',
    { code: 'INTERNAL_SERVER_ERROR' },
  );
}
