/** How long one step of a shutdown may take, of the `leftMs` that are left for all steps; in milliseconds. All time may have
 *  gone to the last requests: the step gets a second anyway. */
export function shutdownStepMs(leftMs: number): number {
  return Math.max(leftMs, 1_000);
}
