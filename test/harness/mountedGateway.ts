import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import {
  createGateway,
  type Gateway,
  type GatewayDependencies,
  type GatewayOptions,
} from '../../gateway/gateway.ts';
import { startInlineGateway } from './inlineGateway.ts';
import { planInProcess } from './inProcessPlanner.ts';
import { postJson } from './postJson.ts';
import type { RawRequest } from './rawHttp.ts';
import { disposeAfterSuite } from './suiteResources.ts';
import { noShedding } from './testGateway.ts';

/** The gateway whose supergraph and subgraph the mounted gateways use. */
export const shop = await startInlineGateway({
  subgraphs: [
    {
      name: 'products',
      sdl: 'type Query { name: String slow: String }',
      resolvers: { Query: { name: () => 'Lamp', slow: () => 'Late' } },
    },
  ],
});
disposeAfterSuite(shop);

/** Creates a gateway for the `shop`. It is not started. */
export async function createMounted(
  options: Partial<GatewayOptions> = {},
  dependencies: GatewayDependencies = {},
): Promise<Gateway & AsyncDisposable> {
  const gateway = await createGateway(
    {
      supergraph: { file: shop.supergraphFile, watch: false },
      admin: { port: 0 },
      telemetry: { logLevel: 'silent' },
      contracts: { guard: 'off' },
      overload: noShedding,
      ...options,
    },
    { startPlannerThread: planInProcess, ...dependencies },
  );
  return Object.assign(gateway, { [Symbol.asyncDispose]: () => gateway.close() });
}

export async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends an operation over POST. */
export async function post(url: string, query: string) {
  const response = await postJson(url, { query });
  return { status: response.status, body: await response.json() };
}

/** Sends an operation over a WebSocket; resolves to its results. `headers`: those of the handshake. */
export async function overWebSocket(url: string, query: string, headers = {}): Promise<unknown> {
  class ClientWebSocket extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols, { headers });
    }
  }
  const client = createClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: ClientWebSocket,
    retryAttempts: 0,
  });
  const results: unknown[] = [];
  for await (const result of client.iterate({ query })) results.push(result);
  await client.dispose();
  return results;
}

/** A request for `{ name }` with this target, in either form. */
export const nameAt = (path: string): RawRequest => ({
  path,
  headers: { 'content-type': 'application/json' },
  body: '{"query":"{ name }"}',
});

export const statusOf = async (url: string) => (await fetch(url)).status;
export const lamp = { data: { name: 'Lamp' } };

/** Serves `listener` and calls `run` with its origin. */
export async function serving(
  listener: RequestListener,
  run: (origin: string) => Promise<void>,
): Promise<void> {
  const server = createServer(listener);
  try {
    await run(await listen(server));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
