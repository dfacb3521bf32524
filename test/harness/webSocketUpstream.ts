import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import { useServer as serveGraphqlWs } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { Changes } from './changes.ts';
import { createTickSchema, Ticks } from './ticks.ts';

interface GraphqlWsUpstream extends AsyncDisposable {
  readonly url: string;
  readonly ticks: Ticks;
  /** The number of open sockets. */
  readonly openCount: number;
  /** All sockets since the start, in order. */
  readonly sockets: readonly WebSocket[];
  readonly handshakes: readonly IncomingMessage[];
  readonly initPayloads: unknown[];
  /** Resolves when exactly this many sockets are open. */
  waitForOpenCount(count: number): Promise<void>;
}

/** A subgraph with the reference server. `refuse`: the result of `onConnect` for the connection with this number,
 *  from 1. */
export async function startGraphqlWsUpstream(
  refuse: (connection: number) => boolean = () => false,
): Promise<GraphqlWsUpstream> {
  const ticks = new Ticks();
  const base = await startWebSocketServer();
  const initPayloads: unknown[] = [];
  serveGraphqlWs(
    {
      schema: createTickSchema(ticks),
      onConnect: ({ connectionParams }) => {
        initPayloads.push(connectionParams);
        return !refuse(initPayloads.length);
      },
    },
    base.server,
  );
  return Object.assign(base.view, { ticks, initPayloads });
}

export interface ScriptedSocket {
  readonly socket: WebSocket;
  /** The parsed messages, in the order of arrival. */
  readonly messages: Record<string, unknown>[];
  /** Resolves when this many messages have arrived. */
  waitForMessages(count: number): Promise<Record<string, unknown>[]>;
  send(message: unknown): void;
  acknowledge(): void;
  /** Resolves to the close code of the other side. */
  readonly closeCode: Promise<number>;
}

interface ScriptedWebSocketUpstream extends AsyncDisposable {
  readonly url: string;
  readonly handshakes: readonly IncomingMessage[];
  readonly openCount: number;
  waitForOpenCount(count: number): Promise<void>;
  /** Resolves to the next new socket. */
  next(): Promise<ScriptedSocket>;
}

/** A subgraph whose messages the test scripts. */
export async function startScriptedWebSocketUpstream(): Promise<ScriptedWebSocketUpstream> {
  const base = await startWebSocketServer();
  const made: ScriptedSocket[] = [];
  const waiting: ((socket: ScriptedSocket) => void)[] = [];
  base.server.on('connection', (socket) => {
    const scripted = createScriptedSocket(socket);
    const next = waiting.shift();
    if (next === undefined) made.push(scripted);
    else next(scripted);
  });
  return Object.assign(base.view, {
    next: () =>
      new Promise<ScriptedSocket>((resolve) => {
        const socket = made.shift();
        if (socket === undefined) waiting.push(resolve);
        else resolve(socket);
      }),
  });
}

function createScriptedSocket(socket: WebSocket): ScriptedSocket {
  const messages: Record<string, unknown>[] = [];
  const arrivals = new Changes();
  const closed = once(socket, 'close').then(([code]) => code as number);
  socket.on('error', () => {});
  socket.on('message', (data) => {
    messages.push(JSON.parse(String(data)));
    arrivals.notify();
  });
  const send = (message: unknown): void =>
    socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  return {
    socket,
    messages,
    closeCode: closed,
    send,
    acknowledge: () => send({ type: 'connection_ack' }),
    waitForMessages: async (count) => {
      await arrivals.until(() => messages.length >= count);
      return messages;
    },
  };
}

async function startWebSocketServer() {
  const http = createServer((_, response) => response.writeHead(404).end());
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const server = new WebSocketServer({ server: http, handleProtocols: () => GRAPHQL_TRANSPORT_WS_PROTOCOL });
  const sockets: WebSocket[] = [];
  const handshakes: IncomingMessage[] = [];
  const changes = new Changes();
  server.on('connection', (socket, request) => {
    sockets.push(socket);
    handshakes.push(request);
    changes.notify();
    // The server removes the socket after its own listeners have run.
    socket.on('close', () => setImmediate(changes.notify));
  });
  const view = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/graphql`,
    sockets,
    handshakes,
    get openCount() {
      return server.clients.size;
    },
    waitForOpenCount: (count: number) => changes.until(() => server.clients.size === count),
    [Symbol.asyncDispose]: async () => {
      for (const socket of server.clients) socket.terminate();
      server.close();
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
    },
  };
  return { server, view };
}
