import type { ServerResponse } from 'node:http';
import { HttpError } from '../admission/httpError.ts';
import { ConfigError } from '../config/configError.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { PendingPromises } from '../time/pendingPromises.ts';
import { addRawBodyRoutes } from '../transport/http/rawBodyRoutes.ts';
import { readBody } from '../transport/http/readBody.ts';
import type { Routes } from '../transport/http/routes.ts';
import { toHeaderMap } from '../transport/http/toHeaderMap.ts';
import { closeIfStalled, setReadTimeout } from '../transport/http/writeResponse.ts';
import type { ExtensionRoute } from './extension.ts';

interface ExtensionRoutesOptions {
  readonly extension: string;
  readonly routes: readonly ExtensionRoute[];
  /** The path of a route that the listener serves without Fastify. */
  readonly reservedPath?: string | undefined;
  /** Largest body of a request, after decompression. */
  readonly bodySize: number;
  /** Closes the connection of a client that reads nothing of a response for this long. */
  readonly readTimeoutMs: number;
  /** Aborted when the gateway begins to drain. */
  readonly draining: AbortSignal;
  /** Gets each request with a promise that resolves when its response has ended. */
  readonly running: PendingPromises;
  readonly log: Pick<Logger, 'error'>;
}

type Handler = Parameters<Routes['route']>[0]['handler'];

/** Adds routes of an extension to a listener. They are added when the listener starts.
 *  @throws {ConfigError} then, for a route that exists already, and for a path that is not valid. */
export function addExtensionRoutes(
  listener: Routes,
  {
    extension,
    routes,
    reservedPath,
    bodySize,
    readTimeoutMs,
    draining,
    running,
    log,
  }: ExtensionRoutesOptions,
): void {
  addRawBodyRoutes(listener, 'The header content-type is not valid.', (scope) => {
    for (const route of routes) {
      const { method, path: url } = route;
      const problem = (message: string, expected: string): ConfigError =>
        routeError(`has the extension "${extension}" with the route ${method} ${url}, ${message}`, expected);
      const respond = async (...[request, reply]: Parameters<Handler>): Promise<unknown> => {
        const signal = disconnectSignalOf(reply.raw);
        const received = toRequest(request, await readBody(request.raw, bodySize), signal);
        const fail = (err: unknown): HttpError => {
          // A handler that ends because its client disconnected has not failed.
          if (!signal.aborted)
            log.error({ err, extension, method, path: url }, 'A route of an extension failed');
          return new HttpError(500, `The extension "${extension}" failed. The log has the cause.`);
        };
        try {
          const params = request.params as Record<string, string>;
          const response = checkResponse(await route.handle(received, params, { draining }));
          const onPart = (): void => void setImmediate(() => limitStall(reply.raw, readTimeoutMs));
          // Resolves when the response has ended.
          return await reply.send(
            request.method === 'HEAD' ? withoutBody(response) : withBodyErrors(response, fail, onPart),
          );
        } catch (err) {
          throw fail(err);
        }
      };
      const handler: Handler = (...parameters) => {
        const responded = respond(...parameters);
        const end = (): void => {};
        running.add(responded.then(end, end));
        return responded;
      };
      // A route for GET handles HEAD, too. That of Fastify fails for a `Response`.
      const hasOwnHead = routes.some((other) => other.method === 'HEAD' && other.path === url);
      const methods = method === 'GET' && !hasOwnHead ? ['GET', 'HEAD'] : [method];
      let exists: boolean;
      try {
        exists = url === reservedPath || methods.some((name) => scope.hasRoute({ method: name, url }));
        if (!exists) scope.route({ method: methods, url, handler, exposeHeadRoute: false });
      } catch (error) {
        throw problem(`whose path is not valid: ${(error as Error).message}`, 'a path such as /tenants/:id');
      }
      if (exists) throw problem('which exists already', 'another path');
    }
  });
}

/** A signal that is aborted when the client disconnects before it has the whole response. */
function disconnectSignalOf(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** @throws {HttpError} 400 for a `host` that no URL can have. */
function toRequest({ raw, protocol }: Parameters<Handler>[0], body: Buffer, signal: AbortSignal): Request {
  const { method = '', url = '', headers } = raw;
  const origin = URL.parse(`${protocol}://${headers.host || 'localhost'}`);
  // Anything but a name and a port would change the path, or be credentials.
  if (origin === null || origin.href !== `${origin.origin}/`) {
    throw new HttpError(
      400,
      'The header host is not valid. Send a name or an address, with a port if it is needed.',
    );
  }
  const hasBody = body.length > 0 && method !== 'GET' && method !== 'HEAD';
  return new Request(origin.origin + url, {
    method,
    headers: [...toHeaderMap(headers)],
    body: hasBody ? new Uint8Array(body) : null,
    signal,
  });
}

/** Responses may be those of another copy of undici. @throws {TypeError} for a value that cannot be sent. */
function checkResponse(value: unknown): Response {
  const isResponse = Object.prototype.toString.call(value) === '[object Response]';
  if (!isResponse) throw new TypeError('The route returned something that is not a Response.');
  const response = value as Response;
  if (response.bodyUsed) throw new TypeError('The route returned a Response whose body has been read.');
  if (response.type === 'error') throw new TypeError('The route returned Response.error().');
  return response;
}

/** The response to HEAD. */
function withoutBody(response: Response): Response {
  response.body?.cancel().catch(() => {});
  return new Response(null, response);
}

/** Closes the connection of a client that reads nothing for `timeoutMs` while bytes wait for it. Without bytes, a response may
 *  stay open for longer. Called when Fastify has written a part or the end. */
function limitStall(response: ServerResponse, timeoutMs: number): void {
  if (response.writableEnded) closeIfStalled(response, timeoutMs);
  else if (response.writableNeedDrain) setReadTimeout(response, timeoutMs, 'drain');
}

/** `toError`: called if the body cannot be read to its end. Fastify sends the error if nothing was sent before, and otherwise
 *  ends the connection. `onPart`: called before Fastify writes a part of the body, or its end. */
function withBodyErrors(
  response: Response,
  toError: (cause: unknown) => Error,
  onPart: () => void,
): Response {
  const { body } = response;
  if (body === null) return response;
  const reader = body.getReader();
  const pull = async (controller: ReadableStreamDefaultController): Promise<void> => {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw toError(error);
    });
    onPart();
    if (done) controller.close();
    else controller.enqueue(value);
  };
  const cancel = (reason: unknown): Promise<void> => reader.cancel(reason);
  return new Response(new ReadableStream({ pull, cancel }, { highWaterMark: 0 }), response);
}

function routeError(message: string, expected: string): ConfigError {
  return new ConfigError([{ path: 'extensions', message, expected }]);
}
