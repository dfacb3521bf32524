import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A server behind a network that the test can make slow. */
interface PausableProxy extends AsyncDisposable {
  readonly port: number;
  /** From what has this text on, nothing that comes over the same connection goes on to the server until `release`.
   *  Resolves when that has come. */
  pauseAt(text: string): Promise<void>;
  resume(): void;
}

/** Passes on what goes to a port of this machine. */
export async function startPausableProxy(port: number): Promise<PausableProxy> {
  const sockets = new Set<Socket>();
  const held: (() => void)[] = [];
  let awaited: { readonly text: string; readonly onHeld: () => void } | undefined;
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    let isHolding = false;
    let last = '';
    client.on('data', (chunk) => {
      last = last.slice(-100) + chunk.toString('latin1');
      if (awaited !== undefined && last.includes(awaited.text)) {
        isHolding = true;
        awaited.onHeld();
        awaited = undefined;
        held.push(() => {
          isHolding = false;
        });
      }
      if (isHolding) held.push(() => upstream.write(chunk));
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
        awaited = { text, onHeld: resolve };
      }),
    resume() {
      for (const goOn of held.splice(0)) goOn();
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
