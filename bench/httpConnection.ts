import type { Socket } from 'node:net';
import { connect } from 'node:net';

/** Receives the response to the latest request, in this order of calls. */
interface ResponseListener {
  onHead(status: number, head: string): void;
  onBody(chunk: Buffer): void;
  onEnd(): void;
  /** The connection cannot be used any more. */
  onFailure(error: Error): void;
}

type State =
  | { readonly reading: 'head' }
  | { readonly reading: 'sized'; left: number }
  | { readonly reading: 'chunk-size' }
  | { readonly reading: 'chunk'; left: number }
  | { readonly reading: 'chunk-end' }
  | { readonly reading: 'trailer' };

const lineEnd = Buffer.from('\r\n');
const headEnd = Buffer.from('\r\n\r\n');

/** One keep-alive HTTP/1.1 connection with one request at a time. Supports only what the targets send: bodies with
 *  `content-length` or chunks. A complete HTTP client would cost the load's core more per request than the fastest
 *  target costs its own. */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #listener: ResponseListener;
  #state: State = { reading: 'head' };
  /** An incomplete head, chunk size or line end from the last read. */
  #rest: Buffer | undefined;

  constructor(url: URL, listener: ResponseListener) {
    this.#listener = listener;
    this.#socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    this.#socket.on('data', (bytes: Buffer) => {
      try {
        this.#read(bytes);
      } catch (error) {
        this.close();
        listener.onFailure(error instanceof Error ? error : new Error(String(error)));
      }
    });
    this.#socket.on('error', (error) => listener.onFailure(error));
    this.#socket.on('close', () => listener.onFailure(new Error('The target closed the connection')));
  }

  send(request: Buffer): void {
    this.#socket.write(request);
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    let input = this.#rest ? Buffer.concat([this.#rest, bytes]) : bytes;
    this.#rest = undefined;
    while (input.length > 0) {
      const used = this.#step(input);
      if (used === 0) {
        this.#rest = input;
        return;
      }
      input = input.subarray(used);
    }
  }

  /** Consumes one piece of the input and returns its length; 0 if the piece is incomplete. */
  #step(input: Buffer): number {
    const state = this.#state;
    switch (state.reading) {
      case 'head': {
        const end = input.indexOf(headEnd);
        if (end < 0) return 0;
        this.#startBody(input.toString('latin1', 0, end + 2));
        return end + 4;
      }
      case 'sized':
      case 'chunk': {
        const piece = input.subarray(0, state.left);
        state.left -= piece.length;
        this.#listener.onBody(piece);
        if (state.left === 0) {
          if (state.reading === 'sized') this.#end();
          else this.#state = { reading: 'chunk-end' };
        }
        return piece.length;
      }
      case 'chunk-end': {
        if (input.length < 2) return 0;
        this.#state = { reading: 'chunk-size' };
        return 2;
      }
      case 'chunk-size': {
        const end = input.indexOf(lineEnd);
        if (end < 0) return 0;
        const size = Number.parseInt(input.toString('latin1', 0, end), 16);
        this.#state = size === 0 ? { reading: 'trailer' } : { reading: 'chunk', left: size };
        return end + 2;
      }
      case 'trailer': {
        const end = input.indexOf(lineEnd);
        if (end < 0) return 0;
        if (end === 0) this.#end();
        return end + 2;
      }
    }
  }

  #startBody(head: string): void {
    const status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1];
    if (length === undefined && !/\r\ntransfer-encoding: *chunked\r\n/i.test(head)) {
      throw new Error(`The target sent neither a length nor chunks:\n${head}`);
    }
    this.#state =
      length === undefined ? { reading: 'chunk-size' } : { reading: 'sized', left: Number(length) };
    this.#listener.onHead(status, head);
    if (length === '0') this.#end();
  }

  #end(): void {
    this.#state = { reading: 'head' };
    this.#listener.onEnd();
  }
}

interface GraphQLRequest {
  readonly url: string;
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
}

/** The bytes of a POST request. */
export function requestBytes({ url, query, variables, headers }: GraphQLRequest): Buffer {
  const { host, pathname } = new URL(url);
  const body = JSON.stringify({ query, variables });
  const lines = [
    `POST ${pathname} HTTP/1.1`,
    `host: ${host}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
