/** Waits for turns of the event loop. In one turn, everything that is due runs, but nothing that waits for a socket
 *  or a timer. Several turns complete work that continues from one `setImmediate` to the next. */
export async function waitForTurns(count = 1): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
