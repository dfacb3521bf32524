import { type EventEmitter, once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';

/** How many sockets listen on a port, with the server's own. */
const socketsPerPort = 32;

/** Sockets that listen on the port of a server in addition to its own one. Node accepts one connection per socket and turn
 *  of the event loop: with a single socket, the last of 500 clients that connect while a turn takes 12 ms would wait for 6 s.
 *  The kernel spreads the connections evenly over the sockets on one port. */
export class FurtherSockets {
  readonly #servers: Server[] = [];

  /** Listens on this address, and emits the connections at `server`, which listens there with `reusePort`.
   *  `allowHalfOpen`: whether a client that has sent all its requests may close its side first.
   *  @throws when a socket cannot listen. */
  async listen(
    { address, port }: AddressInfo,
    server: EventEmitter,
    { allowHalfOpen }: { allowHalfOpen: boolean },
  ): Promise<void> {
    for (let count = 1; count < socketsPerPort; count++) {
      const further = createServer({ allowHalfOpen, noDelay: true }, (socket) =>
        server.emit('connection', socket),
      );
      this.#servers.push(further);
      further.listen({ host: address, port, reusePort: true });
    }
    await Promise.all(this.#servers.map((further) => once(further, 'listening')));
  }

  /** Stops accepting connections; resolves when those that were accepted here are closed. */
  async close(): Promise<void> {
    await Promise.all(this.#servers.map((further) => once(further.close(), 'close')));
  }
}
