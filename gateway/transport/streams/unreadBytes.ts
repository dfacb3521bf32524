import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getHeapStatistics } from 'node:v8';
import { GatewayError, memoryFullError } from '../../errors.ts';
import { http2StreamOf } from '../http/http2Messages.ts';

/** Smaller responses do not count: a connection has a limited number of operations. In bytes. */
const minSize = 16 * 1024;

/** Whether `UnreadBytes` counts a response or payload of this size, in bytes. Without one, a connection needs none. */
export function isCounted(size: number): boolean {
  return size > minSize;
}

/** Maximum of all connections together. Buffers are not in V8's heap, but the memory of a process is chosen by its size. */
const maxTotalBytes = getHeapStatistics().heap_size_limit / 2;

let totalBytes = 0;

const byConnection = new WeakMap<EventEmitter, UnreadBytes>();

/** Counts the bytes of the responses that wait for the client of one connection to read them. A client that sends many
 *  operations and reads nothing would otherwise keep all of their responses in memory. */
export class UnreadBytes {
  readonly #maxBytes: number;
  #count = 0;
  #isClosed = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Those of the connection of an HTTP request: its responses, pipelined ones too, or its streams of HTTP/2. */
  static ofConnection(request: IncomingMessage, maxBytes: number): UnreadBytes {
    const connection = http2StreamOf(request)?.session ?? request.socket;
    const existing = byConnection.get(connection);
    if (existing !== undefined) return existing;
    const created = new UnreadBytes(maxBytes);
    byConnection.set(connection, created);
    created.#isClosed = connection.destroyed;
    // A pipelined response emits no event when its connection closes before its turn.
    connection.once('close', () => {
      created.#isClosed = true;
      created.#remove(created.#count);
    });
    return created;
  }

  /** Counts a response or payload until the returned function is called. One alone may have any size.
   *  @throws {GatewayError} `OVERLOADED` if others wait, and all of them together would have more than the maximum, of this
   *  connection or of the process. */
  add(size: number): () => void {
    if (!isCounted(size) || this.#isClosed) return countNothing;
    if (this.#count > 0 && this.#count + size > this.#maxBytes) throw tooManyUnreadError(this.#maxBytes);
    if (totalBytes > 0 && totalBytes + size > maxTotalBytes) throw memoryFullError();
    this.#count += size;
    totalBytes += size;
    let counted = size;
    return () => {
      this.#remove(counted);
      counted = 0;
    };
  }

  /** Counts a complete response until it is sent, or its connection is closed.
   *  @throws {GatewayError} As `add`. */
  addResponse(size: number, response: ServerResponse): void {
    if (!response.destroyed) response.once('close', this.add(size));
  }

  /** Removes at most what is counted: the connection may have closed before. */
  #remove(size: number): void {
    const removed = Math.min(size, this.#count);
    this.#count -= removed;
    totalBytes -= removed;
  }
}

const countNothing = (): void => undefined;

function tooManyUnreadError(maxBytes: number): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    `The responses that this connection has not read have more than ${maxBytes} bytes (limits.responseSize). The operation was executed. Read the responses before you send further operations.`,
    { extensions: { limit: 'responseSize', allowed: maxBytes } },
  );
}
