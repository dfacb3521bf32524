import { isMarkedAsUntransferable } from 'node:worker_threads';

/** The size of the memory that Node 26 lets several sockets read into. A short read from an unencrypted socket is copied out of
 *  it, into memory of its own. */
const sharedBytes = 64 * 1024;

/** A later version may share memory in another way. */
const lastKnownNode = 26;
const isKnownNode = Number.parseInt(process.versions.node, 10) <= lastKnownNode;

/** Frees the memory of bytes that were read from an unencrypted socket, after the code that runs now: undici may still parse
 *  what follows them. Node allocates memory for each such read outside of V8's heap, and V8 frees it only when it collects the
 *  young generation, which is seldom because it does not count it. With 50 clients and responses of 10 kB, 30 MiB would wait
 *  for that, and V8 would take more time to free them.
 *
 *  Nothing else may use the memory: every view of it becomes empty. */
export async function freeMemory(chunks: readonly Buffer[]): Promise<void> {
  if (!isKnownNode) return;
  await undefined;
  for (const { buffer } of chunks) {
    // Several chunks may be parts of one read.
    if (!(buffer instanceof ArrayBuffer) || buffer.detached) continue;
    // A socket joins what has arrived in several parts, and then small chunks are parts of Node's pool.
    if (buffer.byteLength !== sharedBytes && !isMarkedAsUntransferable(buffer)) buffer.transfer(0);
  }
}
