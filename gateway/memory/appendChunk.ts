const maxSmallChunks = 1_000;
const minAverageBytes = 64;

/** Whether the chunks of a body are very many small ones. A sender decides their size. `size`: of all chunks, in bytes. */
export function areManySmallChunks(count: number, size: number): boolean {
  return count > maxSmallChunks + size / minAverageBytes;
}

/** Appends a chunk of a body that arrives. Each chunk is an object of some 100 bytes: with single bytes, a body would take a
 *  hundred times its size. So very many small ones are joined. `size`: of all chunks, in bytes. */
export function appendChunk(chunks: Buffer[], chunk: Buffer, size: number): void {
  chunks.push(chunk);
  // Up to this size, joining copies no more than a few dozen bytes for each chunk.
  if (areManySmallChunks(chunks.length, size)) chunks.splice(0, chunks.length, Buffer.concat(chunks));
}
