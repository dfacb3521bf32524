import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type WebSocket, WebSocketServer } from 'ws';
import { eventOf, type StockedProduct, webSocketPath } from './shop.ts';

export interface StockSubgraph {
  readonly url: string;
  /** Sends the event to every subscription there is. */
  publish(event: StockedProduct): void;
}

interface GraphQLRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** The subgraph that is subscribed at, over `graphql-transport-ws` or server-sent events. It reads no GraphQL but gives
 *  the answer that every gateway here asks for: where a gateway has a subscription of its own for each of its clients,
 *  executing every event for each of them would cost the load's core what is to be measured on the other. */
export async function startStockSubgraph(): Promise<StockSubgraph> {
  const eventStreams = new Set<ServerResponse>();
  /** The ids of its subscriptions for each connection. */
  const connections = new Map<WebSocket, Set<string>>();

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { query, variables = {} } = await readRequest(request);
    if (!query.trimStart().startsWith('subscription')) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ data: { _entities: entitiesOf(variables) } }));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    // Opens the stream for a client that waits for its first bytes.
    response.write(':\n\n');
    eventStreams.add(response);
    response.once('close', () => eventStreams.delete(response));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  new WebSocketServer({ server, path: webSocketPath }).on('connection', (connection) => {
    const ids = new Set<string>();
    connections.set(connection, ids);
    connection.once('close', () => connections.delete(connection));
    connection.on('message', (bytes) => {
      const { type, id = '' } = JSON.parse(String(bytes)) as { type: string; id?: string };
      if (type === 'connection_init') connection.send('{"type":"connection_ack"}');
      else if (type === 'ping') connection.send('{"type":"pong"}');
      else if (type === 'subscribe') ids.add(id);
      else if (type === 'complete') ids.delete(id);
    });
  });

  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/graphql`,
    publish(event) {
      const payload = JSON.stringify({ data: { stockChanged: event } });
      const frame = `event: next\ndata: ${payload}\n\n`;
      for (const stream of eventStreams) stream.write(frame);
      for (const [connection, ids] of connections) {
        for (const id of ids) {
          connection.send(`{"id":${JSON.stringify(id)},"type":"next","payload":${payload}}`);
        }
      }
    },
  };
}

/** Hive Gateway subscribes over server-sent events with GET, Tributary with POST. */
async function readRequest(request: IncomingMessage): Promise<GraphQLRequest> {
  if (request.method !== 'GET') return JSON.parse(await text(request)) as GraphQLRequest;
  return { query: new URL(request.url ?? '', 'http://shop').searchParams.get('query') ?? '' };
}

/** The representations are the only variable of a fetch of entities, whatever its name. */
function entitiesOf(variables: Readonly<Record<string, unknown>>): readonly StockedProduct[] {
  const [representations = []] = Object.values(variables) as { readonly id: string }[][];
  return representations.map(({ id }) => eventOf(Number(id)));
}
