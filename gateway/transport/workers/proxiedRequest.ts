import { IncomingMessage } from 'node:http';

/** Headers that one worker adds for another. They are only read on the workers' private sockets, and removed from a
 *  client's request before it is proxied. */
export const workerHeaders = {
  /** The address of the client whose request is proxied. */
  clientAddress: 'x-tributary-client-address',
  /** The token of an event stream to drain, because the worker that proxies it shuts down. */
  drainStream: 'x-tributary-drain-stream',
  /** The name of a call between workers. */
  call: 'x-tributary-worker-call',
} as const;

const workerHeaderNames: ReadonlySet<string> = new Set(Object.values(workerHeaders));

export function isWorkerHeader(name: string): boolean {
  return workerHeaderNames.has(name.toLowerCase());
}

/** A request that another worker has proxied to this one. */
export class ProxiedRequest extends IncomingMessage {
  #clientAddress: string | undefined;

  get clientAddress(): string | undefined {
    return this.#clientAddress;
  }

  /** Moves the client's address from the headers to `clientAddress`, which leaves only the client's own headers. */
  extractClientAddress(): void {
    const address = this.headers[workerHeaders.clientAddress];
    delete this.headers[workerHeaders.clientAddress];
    if (typeof address === 'string' && address !== '') this.#clientAddress = address;
  }
}

/** The other end of the connection on which a request arrived, whichever worker received it. */
export function peerAddressOf(request: IncomingMessage): string | undefined {
  return request instanceof ProxiedRequest ? request.clientAddress : request.socket.remoteAddress;
}
