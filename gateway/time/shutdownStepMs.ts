/** How long one step of a shutdown may take, of the `leftMs` that are left for all steps; in milliseconds. All time may have
 *  gone to the last requests: the step gets a second anyway, but never more than `maxMs`. */
export function shutdownStepMs(leftMs: number, maxMs: number): number {
  return Math.min(Math.max(leftMs, 1_000), maxMs);
}
