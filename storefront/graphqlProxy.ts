import { Agent, type IncomingMessage, request as requestUpstream, type ServerResponse } from 'node:http';
import { type Duplex, pipeline } from 'node:stream';

// Headers about a single connection (RFC 9110, section 7.6.1). Copying them would break the next connection.
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

/** Streams requests to the gateway and responses back chunk by chunk, so that each payload reaches the browser when
 *  the gateway writes it. Aborts the gateway's request as soon as the browser disconnects. */
export class GraphQLProxy {
  readonly #gateway: URL;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #sockets = new Set<Duplex>();

  constructor(gatewayUrl: string) {
    this.#gateway = new URL(gatewayUrl);
  }

  /** Forwards a request to `path` of the gateway, by default its GraphQL route. */
  forward(request: IncomingMessage, response: ServerResponse, path = this.#gateway.pathname): void {
    const target = new URL(this.#gateway);
    target.pathname = path;
    target.search = new URL(request.url ?? '/', this.#gateway).search;
    const upstream = requestUpstream(
      target,
      { agent: this.#agent, method: request.method, headers: endToEndHeaders(request) },
      (received) => {
        response.writeHead(received.statusCode ?? 502, endToEndHeaders(received));
        // The browser receives the head at once, even if the first payload takes a while.
        response.flushHeaders();
        // If the gateway's connection breaks, `pipeline` destroys the response, so that the browser does not take it
        // for complete.
        pipeline(received, response, () => {});
      },
    );
    upstream.on('error', (error) => {
      // The browser disconnected, and aborting the gateway's request caused this error.
      if (response.closed) return;
      if (response.headersSent) response.destroy();
      else sendUnreachable(response, error);
    });
    response.on('close', () => {
      if (!response.writableFinished) upstream.destroy();
    });
    request.pipe(upstream);
  }

  /** Connects a WebSocket of the shop's own pages to the gateway. `head`: what the browser has sent after the handshake. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const { origin, ...headers } = request.headers;
    // Browsers let the page of any site open a WebSocket. The gateway cannot check its origin, since it has another host.
    if (origin !== undefined && origin !== `http://${headers.host}`) {
      refuse(socket, '403 Forbidden');
      return;
    }
    const upstream = requestUpstream(this.#gateway, { headers: { ...headers, host: this.#gateway.host } });
    upstream.on('error', (error) => {
      // The browser disconnected, or this proxy closes; either has aborted the handshake.
      if (socket.destroyed) return;
      reportUnreachable(error);
      refuse(socket, '502 Bad Gateway');
    });
    upstream.on('response', ({ statusCode, statusMessage }) => {
      upstream.destroy();
      refuse(socket, `${statusCode} ${statusMessage}`);
    });
    upstream.on('upgrade', ({ rawHeaders }, upstreamSocket, upstreamHead) => {
      const lines = rawHeaders.flatMap((name, index, all) =>
        index % 2 === 0 ? [`${name}: ${all[index + 1]}`] : [],
      );
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`);
      socket.write(upstreamHead);
      upstreamSocket.write(head);
      pipeline(socket, upstreamSocket, socket, () => {});
    });
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      upstream.destroy();
    });
    upstream.end();
  }

  /** Closes the connections to the gateway, and the WebSockets of browsers. */
  close(): void {
    this.#agent.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function endToEndHeaders(message: IncomingMessage): Record<string, string | string[]> {
  const named = new Set((message.headers.connection ?? '').toLowerCase().split(/\s*,\s*/));
  const forwarded: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined && !hopByHop.has(name) && !named.has(name)) forwarded[name] = value;
  }
  return forwarded;
}

function sendUnreachable(response: ServerResponse, error: Error): void {
  const body = JSON.stringify({
    errors: [{ message: 'The gateway cannot be reached.', extensions: { code: 'GATEWAY_UNREACHABLE' } }],
  });
  reportUnreachable(error);
  response.writeHead(502, { 'content-type': 'application/graphql-response+json; charset=utf-8' });
  response.end(body);
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

function reportUnreachable(error: Error): void {
  console.error(`Storefront: the gateway is unreachable: ${error.message}`);
}
