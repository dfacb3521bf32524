const maxSmallChunks = 1_000;
const minAverageBytes = 64;

/** Appends a chunk of a body that arrives. A sender decides the size of chunks, and each is an object of some 100 bytes. Very
 *  many small ones are joined: with single bytes, a body would take a hundred times its size. `size`: of all chunks, in bytes. */
export function appendChunk(chunks: Buffer[], chunk: Buffer, size: number): void {
  chunks.push(chunk);
  // Up to this size, joining copies no more than a few dozen bytes for each chunk.
  if (chunks.length > maxSmallChunks + size / minAverageBytes)
    chunks.splice(0, chunks.length, Buffer.concat(chunks));
}
