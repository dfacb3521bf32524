import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { freePort } from './freePort.ts';

/** What a proxy does to its connections. `refuse`: they are refused. `reset`: they are reset when a request arrives.
 *  `hang`: they are accepted, and nothing is forwarded. `drip`: one byte of the response is forwarded every `everyMs`.
 *  `delay`: the response is forwarded `ms` later. `respond`: the proxy itself responds without a body, and closes them. */
export type ProxyFault =
  | { readonly kind: 'none' }
  | { readonly kind: 'refuse' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'hang' }
  | { readonly kind: 'drip'; readonly everyMs: number }
  | { readonly kind: 'delay'; readonly ms: number }
  | {
      readonly kind: 'respond';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
    };

/** A TCP proxy whose connections the test can pause and break. */
export interface PausableProxy extends AsyncDisposable {
  readonly port: number;
  /** The number of open connections of clients. */
  readonly openConnections: number;
  /** The number of open connections on which a request hangs (`hang`). */
  readonly hangingConnections: number;
  /** The number of connections of clients that were accepted since the last `setFault`. */
  readonly acceptedConnections: number;
  /** Pauses the next connection that sends this text, from that text on, until `resume`. Resolves when it is paused. */
  pauseAt(text: string): Promise<void>;
  resume(): void;
  /** Resets the open connections. The fault concerns the following ones. */
  setFault(fault: ProxyFault): Promise<void>;
}

/** Starts a proxy for a port of this machine. */
export async function startPausableProxy(port: number): Promise<PausableProxy> {
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  const hanging = new Set<Socket>();
  const held: (() => void)[] = [];
  let awaited: { readonly text: string; readonly onPaused: () => void } | undefined;
  let fault: ProxyFault = { kind: 'none' };
  let accepted = 0;

  const track = (socket: Socket, onClose: () => void): void => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      sockets.delete(socket);
      onClose();
    });
  };
  const server = createServer((client) => {
    accepted += 1;
    clients.add(client);
    if (fault.kind === 'hang' || fault.kind === 'reset' || fault.kind === 'respond') {
      track(client, () => {
        clients.delete(client);
        hanging.delete(client);
      });
      if (fault.kind === 'hang') client.on('data', () => hanging.add(client));
      else if (fault.kind === 'reset') client.once('data', () => client.resetAndDestroy());
      else respondOnce(client, fault);
      return;
    }
    const upstream = connect(port, '127.0.0.1');
    const respond = createResponder(client, fault);
    let isPaused = false;
    let last = '';
    client.on('data', (chunk) => {
      last = last.slice(-100) + chunk.toString('latin1');
      if (awaited !== undefined && last.includes(awaited.text)) {
        isPaused = true;
        awaited.onPaused();
        awaited = undefined;
        held.push(() => {
          isPaused = false;
        });
      }
      if (isPaused) held.push(() => upstream.write(chunk));
      else upstream.write(chunk);
    });
    upstream.on('data', respond);
    track(client, () => {
      clients.delete(client);
      upstream.destroy();
    });
    track(upstream, () => client.destroy());
  });

  // Not an ephemeral port: another connection could get it while connections are refused.
  const ownPort = await freePort();
  const listen = async (): Promise<void> => {
    server.listen(ownPort, '127.0.0.1');
    await once(server, 'listening');
  };
  const reset = (): void => {
    for (const client of clients) {
      // Node leaks the handle of a socket that is reset while it is shut down.
      if (client.writableEnded) client.destroy();
      else client.resetAndDestroy();
    }
  };
  await listen();
  return {
    port: ownPort,
    get openConnections() {
      return clients.size;
    },
    get hangingConnections() {
      return hanging.size;
    },
    get acceptedConnections() {
      return accepted;
    },
    pauseAt: (text) =>
      new Promise((resolve) => {
        awaited = { text, onPaused: resolve };
      }),
    resume() {
      for (const forward of held.splice(0)) forward();
    },
    async setFault(next) {
      fault = next;
      reset();
      accepted = 0;
      if (fault.kind === 'refuse' && server.listening) {
        server.close();
        await once(server, 'close');
      } else if (fault.kind !== 'refuse' && !server.listening) {
        await listen();
      }
    },
    async [Symbol.asyncDispose]() {
      if (server.listening) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Returns what forwards a chunk of the response. */
function createResponder(client: Socket, fault: ProxyFault): (chunk: Buffer) => void {
  if (fault.kind === 'delay') {
    const timers = new Set<NodeJS.Timeout>();
    client.once('close', () => {
      for (const timer of timers) clearTimeout(timer);
    });
    return (chunk) => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        client.write(chunk);
      }, fault.ms);
      timers.add(timer);
    };
  }
  if (fault.kind !== 'drip') return (chunk) => client.write(chunk);
  let bytes = Buffer.alloc(0);
  const timer = setInterval(() => {
    // Not when the socket has closed: that may come much later, or never, after a reset.
    if (client.writableEnded || client.destroyed) {
      clearInterval(timer);
      return;
    }
    if (bytes.length > 0) client.write(bytes.subarray(0, 1));
    bytes = bytes.subarray(1);
  }, fault.everyMs);
  return (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
  };
}

function respondOnce(client: Socket, { status, headers }: Extract<ProxyFault, { kind: 'respond' }>): void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const response = `HTTP/1.1 ${status} Fault\r\n${lines.join('')}content-length: 0\r\nconnection: close\r\n\r\n`;
  client.once('data', () => client.end(response));
  client.resume();
}
