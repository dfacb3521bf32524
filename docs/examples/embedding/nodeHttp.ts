import { createServer, type Server } from 'node:http';
import type { Gateway } from '../../../gateway/gateway.ts';

/** Creates a server with the gateway below `/shop`. */
export async function createHttpServer(gateway: Gateway): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/shop/')) {
      request.url = request.url.slice('/shop'.length);
      gateway.handler(request, response);
    } else {
      response.end('Another page of this server');
    }
  });
  // WebSockets. The gateway answers other paths with 404.
  server.on('upgrade', (request, socket, head) => {
    request.url = request.url?.startsWith('/shop/') ? request.url.slice('/shop'.length) : '';
    gateway.handleUpgrade(request, socket, head);
  });
  await gateway.start({ listen: false });
  return server;
}

/** Ends the running requests, subscriptions and WebSockets of the gateway, then the server. */
export async function closeHttpServer(gateway: Gateway, server: Server): Promise<void> {
  await gateway.close();
  server.close();
}
