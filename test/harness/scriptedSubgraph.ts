import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { Changes } from './changes.ts';

/** A request as the server received it. */
export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case. Values of a repeated header are joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Connections are numbered from 1 in the order of acceptance. */
  readonly connection: number;
  /** Resolves when the connection of the request has closed. */
  readonly connectionClosed: Promise<void>;
}

/** The response of a script. */
export interface Exchange {
  readonly request: RecordedRequest;
  /** Writes exactly these bytes. */
  write(bytes: string | Buffer): void;
  /** Writes a complete response with a matching `content-length`. */
  respond(answer: { status?: number; headers?: Record<string, string>; body: string | Buffer }): void;
  /** Closes the connection after the written bytes. */
  end(): void;
  /** Closes the connection at once with a TCP reset. */
  reset(): void;
}

export type Script = (exchange: Exchange) => void | Promise<void>;

export interface ScriptedSubgraph extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly RecordedRequest[];
  /** The number of open connections. */
  readonly openConnections: number;
  /** Enqueues one script for each of the next requests, in order. */
  enqueueScripts(...scripts: Script[]): void;
  /** The script for requests without an enqueued script. */
  setDefaultScript(script: Script): void;
  /** Resolves when this many requests have arrived in total. */
  waitForRequests(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Responds with 200 and JSON. */
export function json(value: unknown, contentType = 'application/graphql-response+json'): Script {
  return text(JSON.stringify(value), contentType);
}

/** Responds with 200 and this body. */
export function text(body: string | Buffer, contentType = 'application/graphql-response+json'): Script {
  return (exchange) => exchange.respond({ headers: { 'content-type': contentType }, body });
}

/** Never responds. */
export const hang: Script = () => {};

/** Resets the connection instead of responding. */
export const reset: Script = (exchange) => exchange.reset();

/** Writes exactly these bytes and keeps the connection open. */
export function bytes(...parts: (string | Buffer)[]): Script {
  return (exchange) => {
    for (const part of parts) exchange.write(part);
  };
}

/** Delays the script until the promise resolves. */
export function runAfter(gate: Promise<unknown>, script: Script): Script {
  return async (exchange) => {
    await gate;
    await script(exchange);
  };
}

/** Writes a chunked response. A promise between the chunks delays the chunks after it. */
export function chunked(parts: readonly (string | Buffer | Promise<unknown>)[]): Script {
  return async (exchange) => {
    exchange.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n');
    for (const part of parts) {
      if (part instanceof Promise) {
        await part;
        continue;
      }
      const chunk = Buffer.from(part);
      exchange.write(`${chunk.length.toString(16)}\r\n`);
      exchange.write(chunk);
      exchange.write('\r\n');
    }
    exchange.write('0\r\n\r\n');
  };
}

/** Starts a subgraph on a free loopback port that can break HTTP in any way. It uses HTTP/1.1, over TLS with a
 *  certificate. A request without a script hangs. */
export async function startScriptedSubgraph(tls?: TlsOptions): Promise<ScriptedSubgraph> {
  const requests: RecordedRequest[] = [];
  const scripts: Script[] = [];
  const sockets = new Set<Socket>();
  const arrivals = new Changes();
  let fallback: Script = hang;
  let connections = 0;

  const accept = (socket: Socket): void => {
    connections += 1;
    const connection = connections;
    sockets.add(socket);
    const connectionClosed = new Promise<void>((resolve) => {
      socket.once('close', () => {
        sockets.delete(socket);
        resolve();
      });
    });
    // Many tests reset the connection.
    socket.on('error', () => {});
    let unread: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      for (;;) {
        const parsed = parseRequest(unread);
        if (parsed === undefined) return;
        unread = parsed.rest;
        const request = { ...parsed.request, connection, connectionClosed };
        requests.push(request);
        const script = scripts.shift() ?? fallback;
        void script(exchangeOn(socket, request));
        arrivals.notify();
      }
    });
  };

  const server = tls === undefined ? createServer(accept) : createTlsServer(tls, accept);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');

  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };

  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}/graphql`,
    requests,
    get openConnections() {
      return sockets.size;
    },
    enqueueScripts: (...more) => {
      scripts.push(...more);
    },
    setDefaultScript: (script) => {
      fallback = script;
    },
    waitForRequests: (count) => arrivals.until(() => requests.length >= count),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function exchangeOn(socket: Socket, request: RecordedRequest): Exchange {
  return {
    request,
    write: (part) => {
      socket.write(part);
    },
    respond: ({ status = 200, headers = {}, body }) => {
      const bodyBytes = Buffer.from(body);
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      const head = `HTTP/1.1 ${status} Scripted\r\n${lines.join('')}content-length: ${bodyBytes.length}\r\n\r\n`;
      socket.write(Buffer.concat([Buffer.from(head, 'latin1'), bodyBytes]));
    },
    end: () => {
      socket.end();
    },
    reset: () => {
      socket.resetAndDestroy();
    },
  };
}

function parseRequest(
  bytesSoFar: Buffer,
): { request: Omit<RecordedRequest, 'connection' | 'connectionClosed'>; rest: Buffer } | undefined {
  const headEnd = bytesSoFar.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const [firstLine = '', ...lines] = bytesSoFar.toString('latin1', 0, headEnd).split('\r\n');
  const [method = '', path = ''] = firstLine.split(' ');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  const bodyStart = headEnd + 4;
  const bodyEnd = bodyStart + Number(headers.get('content-length') ?? 0);
  if (bytesSoFar.length < bodyEnd) return undefined;
  return {
    request: { method, path, headers, body: bytesSoFar.toString('utf8', bodyStart, bodyEnd) },
    rest: bytesSoFar.subarray(bodyEnd),
  };
}
