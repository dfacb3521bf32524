import { Agent, type IncomingMessage, request as requestUpstream, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';

interface GraphQLProxy {
  /** To `path` at the gateway; to its GraphQL route where left out. */
  forward(request: IncomingMessage, response: ServerResponse, path?: string): void;
  /** Closes the connections to the gateway. */
  close(): void;
}

// These speak about one connection only (RFC 9110, 7.6.1); copied through, they break the next one.
const hopByHop = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Passes requests on to the gateway and its answer back, chunk by chunk: a payload reaches the browser
 *  when the gateway writes it. A browser that leaves ends the gateway's request at once. */
export function createGraphQLProxy(gatewayUrl: string): GraphQLProxy {
  const gateway = new URL(gatewayUrl);
  const agent = new Agent({ keepAlive: true });

  function pass(request: IncomingMessage, response: ServerResponse, path = gateway.pathname): void {
    const target = new URL(gateway);
    target.pathname = path;
    target.search = new URL(request.url ?? '/', gateway).search;
    const upstream = requestUpstream(
      target,
      { agent, method: request.method, headers: endToEndHeaders(request) },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, endToEndHeaders(answer));
        // The browser should learn that an answer has begun even if its first payload takes a while.
        response.flushHeaders();
        // On an upstream cut, `pipeline` destroys the response, so the browser sees a cut and no false end.
        pipeline(answer, response, () => {});
      },
    );
    upstream.on('error', (error) => {
      // The browser left: the error is what ending the gateway's request made of it.
      if (response.closed) return;
      if (response.headersSent) response.destroy();
      else sendUnreachable(response, error);
    });
    response.on('close', () => {
      if (!response.writableFinished) upstream.destroy();
    });
    request.pipe(upstream);
  }

  return { forward: pass, close: () => agent.destroy() };
}

function endToEndHeaders(message: IncomingMessage): Record<string, string | string[]> {
  const named = new Set((message.headers.connection ?? '').toLowerCase().split(/\s*,\s*/));
  const kept: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined && !hopByHop.has(name) && !named.has(name)) kept[name] = value;
  }
  return kept;
}

function sendUnreachable(response: ServerResponse, error: Error): void {
  const body = JSON.stringify({
    errors: [{ message: 'The gateway cannot be reached.', extensions: { code: 'GATEWAY_UNREACHABLE' } }],
  });
  console.error(`storefront: the gateway cannot be reached: ${error.message}`);
  response.writeHead(502, { 'content-type': 'application/graphql-response+json; charset=utf-8' });
  response.end(body);
}
