/** A turn of the event loop: what is due at once has been done, and nothing that waits for a socket or a
 *  timer. Several turns let work that goes from one `setImmediate` to the next come to its end. */
export async function waitForTurns(count = 1): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
