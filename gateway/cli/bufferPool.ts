/** Lets Node's pool of memory for short buffers consist of smaller blocks than 64 KiB, its default. A block stays in memory
 *  as long as one buffer in it, and undici's former requests, with their bodies, often stay until the next full
 *  collection. */
export function shareSmallBlocks(): void {
  Buffer.poolSize = 16 * 1024;
}
