// The memory of what is read from unencrypted sockets. Node allocates it outside of V8's heap for each read, and V8 frees it
// when it collects the young generation, a few times per second. With 50 clients and responses of 87 kB, 40 MiB then wait
// for it. So each read gets memory that nothing else uses, and that is freed when the response has been decoded.

import type { Socket } from 'node:net';
import { isMarkedAsUntransferable } from 'node:worker_threads';
import { buildConnector } from 'undici';

/** All sockets read into this, one after the other. Node's own reads end at 64 KiB, and the parts of a longer response are
 *  copied together. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

/** Reads of up to so many bytes get a part of Node's pool, which takes less time than memory of their own. It is not freed
 *  here. */
export const maxPooledRead = 4096;

/** Creates a connector for unencrypted connections. Without it, Node 26 reads into memory that it shares between sockets,
 *  unless a read is short. */
export function createConnector(connectTimeoutMs: number): buildConnector.connector {
  return (options, callback) => {
    const onread = {
      buffer: readBuffer,
      callback: (length: number) => {
        const bytes = length <= maxPooledRead ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(length);
        readBuffer.copy(bytes, 0, 0, length);
        // `false` stops reading until the stream needs more.
        return socket.push(bytes);
      },
    };
    const socket = openSocket(buildConnector({ timeout: connectTimeoutMs, onread }), options, callback);
    return socket;
  };
}

/** Calls a connector, and returns the socket that is connecting. undici's types do not say that connectors return it. */
export function openSocket(
  connect: buildConnector.connector,
  options: buildConnector.Options,
  callback: buildConnector.Callback,
): Socket {
  return connect(options, callback) as unknown as Socket;
}

/** Frees the memory of chunks from connections of `createConnector`, after the code that runs now: undici may still parse
 *  what follows them. Every other view of the memory becomes empty. */
export async function freeMemory(chunks: readonly Buffer[]): Promise<void> {
  await undefined;
  for (const { buffer } of chunks) {
    // Several chunks may be parts of one read.
    if (!(buffer instanceof ArrayBuffer) || buffer.detached) continue;
    // Short reads are parts of Node's pool.
    if (!isMarkedAsUntransferable(buffer)) buffer.transfer(0);
  }
}
