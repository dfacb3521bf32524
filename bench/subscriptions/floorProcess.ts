/** The floor: one subscription at the subgraph, one fetch for each event, and one write of ready bytes for each client and
 *  event. No client is checked, limited or waited for. Takes the URLs of the subgraphs as its first argument, reports its
 *  own URL to its parent, and its memory on request. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { serveCpuProfiles } from './cpuProfiles.ts';
import { reportMemory } from './memoryReports.ts';
import type { StockedProduct } from './shop.ts';
import { webSocketPath } from './shop.ts';
import type { ShopUrls } from './shopProcess.ts';

/** As many as Tributary writes to in a turn of the event loop. */
const clientsPerTurn = 200;

reportMemory();
serveCpuProfiles();

const urls = JSON.parse(process.argv[2] ?? '') as ShopUrls;
const eventStreams = new Set<Duplex>();
const webSockets = new Set<Duplex>();

const server = createServer({ noDelay: true }, (request, response) => {
  request.resume();
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(':\n\n');
  addTo(eventStreams, request.socket);
});
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, clientTracking: false });
server.on('upgrade', (request, connection, head) => {
  sockets.handleUpgrade(request, connection, head, (socket) => {
    socket.on('message', (message) => {
      if (String(message).includes('connection_init')) socket.send('{"type":"connection_ack"}');
      else addTo(webSockets, connection);
    });
  });
});

// One event after the other, as everywhere.
let previous = Promise.resolve();
const source = new WebSocket(
  `${urls.stock.replace('http', 'ws').replace(/\/[^/]*$/, '')}${webSocketPath}`,
  'graphql-transport-ws',
);
source.on('open', () => source.send('{"type":"connection_init"}'));
source.on('message', (message) => {
  const { type, payload } = JSON.parse(String(message));
  if (type === 'connection_ack')
    source.send('{"id":"1","type":"subscribe","payload":{"query":"subscription"}}');
  if (type === 'next') previous = previous.then(() => sendEvent(payload.data.stockChanged));
});
source.once('open', () => {
  server.listen(0, '127.0.0.1', () => {
    process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql` });
  });
});

async function sendEvent({ id, stock }: StockedProduct): Promise<void> {
  const response = await fetch(urls.products, {
    method: 'POST',
    body: JSON.stringify({ query: '', variables: { representations: [{ __typename: 'Product', id }] } }),
  });
  const { data } = (await response.json()) as { data: { _entities: [{ name: string }] } };
  const payload = JSON.stringify({ data: { stockChanged: { id, stock, name: data._entities[0].name } } });
  const event = `event: next\ndata: ${payload}\n\n`;
  await writeTo(eventStreams, Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n`));
  // All clients of the benchmark use the same id.
  const message = Buffer.from(`{"id":"1","type":"next","payload":${payload}}`);
  const isShort = message.length < 126;
  const header = isShort ? [0x81, message.length] : [0x81, 126, message.length >> 8, message.length & 255];
  await writeTo(webSockets, Buffer.concat([Buffer.from(header), message]));
}

async function writeTo(clients: ReadonlySet<Duplex>, bytes: Buffer): Promise<void> {
  let written = 0;
  for (const client of clients) {
    client.write(bytes);
    written++;
    if (written % clientsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

function addTo(clients: Set<Duplex>, connection: Duplex): void {
  clients.add(connection);
  connection.on('error', () => undefined);
  connection.once('close', () => clients.delete(connection));
}
