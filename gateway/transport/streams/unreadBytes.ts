import type { IncomingMessage, ServerResponse } from 'node:http';
import { GatewayError } from '../../errors.ts';
import { http2StreamOf } from '../http/http2Messages.ts';

/** Smaller responses do not count: a connection has a limited number of operations. In bytes. */
const minSize = 16 * 1024;

const byConnection = new WeakMap<object, UnreadBytes>();

/** Counts the bytes of the responses that wait for the client of one connection to read them. A client that sends many
 *  operations and reads nothing would otherwise keep all of their responses in memory. */
export class UnreadBytes {
  readonly #maxBytes: number;
  #count = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Those of the connection of an HTTP request: its pipelined responses, or its streams of HTTP/2. */
  static ofConnection(request: IncomingMessage, maxBytes: number): UnreadBytes {
    const connection = http2StreamOf(request)?.session ?? request.socket;
    const existing = byConnection.get(connection);
    if (existing !== undefined) return existing;
    const created = new UnreadBytes(maxBytes);
    byConnection.set(connection, created);
    return created;
  }

  /** Counts a response or payload until the returned function is called. One alone may have any size.
   *  @throws {GatewayError} `OVERLOADED` if others wait, and all of them together would have more than the maximum. */
  add(size: number): () => void {
    if (size <= minSize) return () => undefined;
    if (this.#count > 0 && this.#count + size > this.#maxBytes) throw tooManyUnreadError(this.#maxBytes);
    this.#count += size;
    return () => {
      this.#count -= size;
      size = 0;
    };
  }

  /** Counts a complete response until it is sent, or its connection is closed.
   *  @throws {GatewayError} As `add`. */
  addResponse(size: number, response: ServerResponse): void {
    const release = this.add(size);
    if (size > minSize) response.once('close', release);
  }
}

function tooManyUnreadError(maxBytes: number): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    `The responses that this connection has not read have more than ${maxBytes} bytes (limits.responseSize). The operation was executed. Read the responses before you send further operations.`,
    { extensions: { limit: 'responseSize', allowed: maxBytes } },
  );
}
