import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

interface EntityServer {
  readonly server: Server;
  /** The GraphQL endpoint. */
  readonly url: string;
}

interface GraphQLRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** Longer than any run. A gateway that is busy for seconds could otherwise send its next fetch over a connection that
 *  was just closed as idle; how it recovers is not measured here. */
const keepAliveTimeoutMs = 600_000;

/** A subgraph that does not execute GraphQL: it returns the response that every gateway here requests, because
 *  executing operations would use the load's core. `serveEvents` responds to subscriptions. */
export async function startEntityServer(
  entityOf: (id: string) => object,
  serveEvents?: (response: ServerResponse) => void,
): Promise<EntityServer> {
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { query, variables = {} } = await readRequest(request);
    if (serveEvents !== undefined && query.trimStart().startsWith('subscription')) {
      return serveEvents(response);
    }
    // The representations are the only variable, under any name.
    const [representations = []] = Object.values(variables) as { readonly id: string }[][];
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ data: { _entities: representations.map(({ id }) => entityOf(id)) } }));
  }

  const server = createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${port}/graphql` };
}

/** Hive Gateway subscribes with GET over server-sent events, Tributary with POST. */
async function readRequest(request: IncomingMessage): Promise<GraphQLRequest> {
  if (request.method !== 'GET') return JSON.parse(await text(request)) as GraphQLRequest;
  return { query: new URL(request.url ?? '', 'http://shop').searchParams.get('query') ?? '' };
}
