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
 *  @throws {ConfigError} then, for a route that exists already. */
export function addExtensionRoutes(
  listener: Routes,
  { extension, routes, reservedPath, bodySize, log }: ExtensionRoutesOptions,
): void {
  addRawBodyRoutes(listener, 'The header content-type is not valid.', (scope) => {
    for (const route of routes) {
      const { method, path: url } = route;
      if (url === reservedPath || scope.hasRoute({ method, url }))
        throw duplicateRouteError(extension, method, url);
      scope.route({
        method,
        url,
        handler: async (request, reply) => {
          const body = await readBody(request.raw, bodySize);
          try {
            const response = await route.handle(
              toRequest(request.raw, body),
              request.params as Record<string, string>,
            );
            return await reply.send(response);
          } catch (err) {
            log.error({ err, extension, method, path: url }, 'A route of an extension failed');
            return sendProblem(reply, 500, `The extension "${extension}" failed. The log has the cause.`);
          }
        },
      });
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

function duplicateRouteError(extension: string, method: string, path: string): ConfigError {
  return new ConfigError([
    {
      path: 'extensions',
      message: `has the extension "${extension}" with the route ${method} ${path}, which exists already`,
      expected: 'another path',
    },
  ]);
}
