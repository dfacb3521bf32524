import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { WebSocket } from 'ws';

interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A client that sends raw messages, valid or not. */
export class Peer implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly closed: Promise<Closed>;
  readonly #messages: unknown[] = [];
  #arrival = Promise.withResolvers<void>();

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      this.#messages.push(JSON.parse(String(data)));
      this.#arrival.resolve();
      this.#arrival = Promise.withResolvers();
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
  }

  static async open(url: string, options: WebSocket.ClientOptions = {}): Promise<Peer> {
    const peer = new Peer(new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws', options));
    await once(peer.socket, 'open');
    return peer;
  }

  /** Opens a socket and waits for `connection_ack`. */
  static async ready(url: string, payload?: object, options?: WebSocket.ClientOptions): Promise<Peer> {
    const peer = await Peer.open(url, options);
    peer.send({ type: 'connection_init', ...(payload && { payload }) });
    const answer = await peer.next();
    if (!isDeepStrictEqual(answer, { type: 'connection_ack' })) {
      throw new Error(`The server answered ${JSON.stringify(answer)} instead of connection_ack.`);
    }
    return peer;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  subscribe(query: string, id = '1', more: object = {}): void {
    this.send({ id, type: 'subscribe', payload: { query, ...more } });
  }

  async next(): Promise<unknown> {
    while (this.#messages.length === 0) {
      const closed = await Promise.race([this.#arrival.promise, this.closed]);
      if (closed !== undefined && this.#messages.length === 0) {
        throw new Error(`Closed with ${closed.code}: ${closed.reason}`);
      }
    }
    return this.#messages.shift();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }
}

/** The status and the first error code of a rejected handshake. */
export async function rejectionOf(url: string, options: WebSocket.ClientOptions = {}): Promise<unknown> {
  const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws', options);
  const [, response] = await once(socket, 'unexpected-response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return [response.statusCode, JSON.parse(body).errors[0].extensions.code];
}
