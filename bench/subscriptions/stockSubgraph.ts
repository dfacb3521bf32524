import type { ServerResponse } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';
import { startEntityServer } from './entityServer.ts';
import { eventOf, type StockedProduct, webSocketPath } from './shop.ts';

interface StockSubgraph {
  readonly url: string;
  /** Sends the event to every subscriber. */
  publish(event: StockedProduct): void;
}

/** The subgraph with the subscription, over `graphql-transport-ws` or server-sent events. */
export async function startStockSubgraph(): Promise<StockSubgraph> {
  const eventStreams = new Set<ServerResponse>();
  /** The subscription ids of each connection. */
  const connections = new Map<WebSocket, Set<string>>();

  const { server, url } = await startEntityServer(
    (id) => eventOf(Number(id)),
    (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      // Opens the stream for clients that wait for its first bytes.
      response.write(':\n\n');
      eventStreams.add(response);
      response.once('close', () => eventStreams.delete(response));
    },
  );

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

  return {
    url,
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
