import { waitForTurns } from './waitForTurns.ts';

// Shorter than the timeout of a test, for a message that names the probe.
const patienceMs = 120_000;

/** Asks the probe in each turn of the event loop, and resolves when it returns true.
 *  @throws an error that names the probe, if it does not. */
export async function waitUntil(probe: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await probe())) {
    if (performance.now() > end) throw new Error(`Not true after ${patienceMs / 1_000} s: ${probe}`);
    await waitForTurns();
  }
}
