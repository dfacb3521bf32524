import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy whose connections the test can pause. */
interface PausableProxy extends AsyncDisposable {
  readonly port: number;
  /** Pauses the next connection that sends this text, from that text on, until `resume`. Resolves when it is paused. */
  pauseAt(text: string): Promise<void>;
  resume(): void;
}

/** Starts a proxy for a port of this machine. */
export async function startPausableProxy(port: number): Promise<PausableProxy> {
  const sockets = new Set<Socket>();
  const held: (() => void)[] = [];
  let awaited: { readonly text: string; readonly onPaused: () => void } | undefined;
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
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
    upstream.on('data', (chunk) => client.write(chunk));
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    pauseAt: (text) =>
      new Promise((resolve) => {
        awaited = { text, onPaused: resolve };
      }),
    resume() {
      for (const forward of held.splice(0)) forward();
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
