import { IncomingMessage } from 'node:http';

/** Headers by which workers tell each other what is not the client's. They mean something on their own sockets only,
 *  and none that a client sends gets there. */
export const workerHeaders = {
  /** Of a request that is passed on: the address that its client has. */
  clientAddress: 'x-tributary-client-address',
  /** The event stream with this token is to end as soon as it can: the worker that passes it on is about to. */
  drainStream: 'x-tributary-drain-stream',
} as const;

const workerHeaderNames: ReadonlySet<string> = new Set(Object.values(workerHeaders));

export function isWorkerHeader(name: string): boolean {
  return workerHeaderNames.has(name.toLowerCase());
}

/** A request that another worker has passed on. */
export class ProxiedRequest extends IncomingMessage {
  #clientAddress: string | undefined;

  get clientAddress(): string | undefined {
    return this.#clientAddress;
  }

  /** Takes what the other worker says out of the headers, which are the client's from here on. */
  extractClientAddress(): void {
    const address = this.headers[workerHeaders.clientAddress];
    delete this.headers[workerHeaders.clientAddress];
    if (typeof address === 'string' && address !== '') this.#clientAddress = address;
  }
}

/** The address of the client that a request is from, whichever worker it reached first. */
export function clientAddressOf(request: IncomingMessage): string | undefined {
  return request instanceof ProxiedRequest ? request.clientAddress : request.socket.remoteAddress;
}
