import type { IncomingMessage } from 'node:http';
import { ConfigError } from '../config/configError.ts';
import type { Logger } from '../telemetry/logger.ts';
import { addRawBodyRoutes, sendProblem } from '../transport/http/rawBodyRoutes.ts';
import { readBody } from '../transport/http/readBody.ts';
import type { Routes } from '../transport/http/routes.ts';
import { toHeaderMap } from '../transport/http/toHeaderMap.ts';
import type { ExtensionRoute } from './extension.ts';

interface ExtensionRoutesOptions {
  readonly extension: string;
  readonly routes: readonly ExtensionRoute[];
  /** The path of a route that the listener serves without Fastify. */
  readonly reservedPath?: string | undefined;
  /** Largest body of a request, after decompression. */
  readonly bodySize: number;
  readonly log: Pick<Logger, 'error'>;
}

/** Adds routes of an extension to a listener. They are added when the listener starts.
 *  @throws {ConfigError} then, for a route that exists already, and for a path that is not valid. */
export function addExtensionRoutes(
  listener: Routes,
  { extension, routes, reservedPath, bodySize, log }: ExtensionRoutesOptions,
): void {
  addRawBodyRoutes(listener, 'The header content-type is not valid.', (scope) => {
    for (const route of routes) {
      const { method, path: url } = route;
      const problem = (message: string, expected: string): ConfigError =>
        routeError(`has the extension "${extension}" with the route ${method} ${url}, ${message}`, expected);
      const handler: Parameters<typeof scope.route>[0]['handler'] = async (request, reply) => {
        const body = await readBody(request.raw, bodySize);
        try {
          const params = request.params as Record<string, string>;
          const response: unknown = await route.handle(toRequest(request.raw, body), params);
          return await reply.send(checkResponse(response));
        } catch (err) {
          log.error({ err, extension, method, path: url }, 'A route of an extension failed');
          return sendProblem(reply, 500, `The extension "${extension}" failed. The log has the cause.`);
        }
      };
      let exists: boolean;
      try {
        exists = url === reservedPath || scope.hasRoute({ method, url });
        if (!exists) scope.route({ method, url, handler });
      } catch (error) {
        throw problem(`whose path is not valid: ${(error as Error).message}`, 'a path such as /tenants/:id');
      }
      if (exists) throw problem('which exists already', 'another path');
    }
  });
}

function toRequest({ method = '', url = '', headers }: IncomingMessage, body: Buffer): Request {
  const hasBody = body.length > 0 && method !== 'GET' && method !== 'HEAD';
  return new Request(new URL(url, `http://${headers.host ?? 'localhost'}`), {
    method,
    headers: [...toHeaderMap(headers)],
    body: hasBody ? new Uint8Array(body) : null,
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

function routeError(message: string, expected: string): ConfigError {
  return new ConfigError([{ path: 'extensions', message, expected }]);
}
