import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Asset, buildAssets } from './buildAssets.ts';
import { GraphQLProxy } from './graphqlProxy.ts';

interface StorefrontOptions {
  /** 0 selects any free port. */
  readonly port: number;
  readonly host?: string;
  /** The gateway's GraphQL endpoint, for example `http://127.0.0.1:4000/graphql`. */
  readonly gatewayUrl: string;
  /** Serves `/demo` and the paths below it. Only on a loopback host. Default: `/demo` is empty (204). */
  readonly demo?: (request: IncomingMessage, response: ServerResponse) => void;
}

interface Storefront {
  readonly url: string;
  /** Ends open streams as well. Resolves when the port is free. */
  close(): Promise<void>;
}

/** Bundles the shop page and serves it. The page fetches `/graphql`, also over WebSockets, and `/enrichments/…` from its
 *  own origin; both are streamed from the gateway, so the shop needs no CORS rule. Rejects if the page cannot be bundled
 *  or the port is in use. */
export async function startStorefront(options: StorefrontOptions): Promise<Storefront> {
  const { port, host = '127.0.0.1', gatewayUrl, demo } = options;
  if (demo !== undefined && !loopbackHosts.has(host)) {
    throw new Error(`The demo's controls are served only on a loopback host, not on "${host}".`);
  }
  const assets = await buildAssets();
  const proxy = new GraphQLProxy(gatewayUrl);

  const server = createServer((request, response) => {
    const pathname = pathOf(request);
    if (pathname === undefined) response.writeHead(400).end();
    else if (pathname === '/graphql') proxy.forward(request, response);
    else if (pathname.startsWith('/enrichments/')) proxy.forward(request, response, pathname);
    else if (demo !== undefined && /^\/demo(?:\/|$)/.test(pathname)) demo(request, response);
    // Tells the page that there is no fault panel. Browsers report a 404 as an error of the page.
    else if (pathname === '/demo') response.writeHead(204).end();
    else serveAsset(assets, pathname, request, response);
  });
  server.on('upgrade', (request, socket, head) => {
    // Node.js leaves the socket without a listener.
    socket.on('error', () => socket.destroy());
    if (pathOf(request) === '/graphql') proxy.upgrade(request, socket, head);
    else socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });

  const { port: boundPort } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${boundPort}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Also ends WebSocket connections, which the server does not count as its own.
      proxy.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** `undefined` for a target that is no URL, such as `//`. */
function pathOf({ url = '/' }: IncomingMessage): string | undefined {
  return URL.parse(url, 'http://storefront')?.pathname;
}

const loopbackHosts = new Set(['127.0.0.1', '::1', 'localhost']);

// The URL selects what the page shows, so every URL of the page must survive a reload.
const pageAddress = /^\/(?:$|product\/|department\/)/;

const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

function serveAsset(
  assets: ReadonlyMap<string, Asset>,
  pathname: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const asset = assets.get(pageAddress.test(pathname) ? '/' : pathname);
  if (asset === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('Not found\n');
    return;
  }
  const headers = { ...securityHeaders, etag: asset.etag, 'cache-control': 'no-cache' };
  if (request.headers['if-none-match'] === asset.etag) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    'content-type': asset.contentType,
    'content-length': asset.body.byteLength,
  });
  response.end(request.method === 'HEAD' ? undefined : asset.body);
}

if (import.meta.main) {
  const { PORT = '3000', HOST = '127.0.0.1', GATEWAY_URL = 'http://127.0.0.1:4000/graphql' } = process.env;
  const storefront = await startStorefront({ port: Number(PORT), host: HOST, gatewayUrl: GATEWAY_URL });
  console.log(`shop page: ${storefront.url} (gateway: ${GATEWAY_URL})`);
  const stop = () => void storefront.close();
  // `disconnect`: the process that started this one with an IPC channel has ended.
  for (const event of ['SIGINT', 'SIGTERM', 'disconnect']) process.once(event, stop);
  process.channel?.unref();
}
