/** Lets Node's pool of memory for short buffers consist of smaller blocks than its default of 64 KiB. A block stays in memory
 *  for as long as one buffer in it does, and undici's former requests, with their bodies, often stay until the next full
 *  collection. */
export function shareSmallBlocks(): void {
  Buffer.poolSize = 16 * 1024;
}
