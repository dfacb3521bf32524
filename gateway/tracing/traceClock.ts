/** The wall clock has whole milliseconds. With an offset from it for each trace, times of two traces would differ by up to
 *  one: a job could end before the fetch that it waits for. So traces have the same offset, until the clock is changed. */
const maxClockDifferenceMs = 20;

/** How often the clocks are compared. */
const comparisonIntervalMs = 100;

let offsetMs = performance.timeOrigin;
let comparedAt = Number.NEGATIVE_INFINITY;

/** What `performance.now()` is added to, for milliseconds since 1970. Read once for each trace: times within it are consistent
 *  although the clock of the machine may be changed. `time`: about now, on `performance.now()`'s clock. */
export function traceOffsetAt(time: number): number {
  if (time - comparedAt < comparisonIntervalMs) return offsetMs;
  comparedAt = time;
  const current = Date.now() - performance.now();
  if (Math.abs(current - offsetMs) > maxClockDifferenceMs) offsetMs = current;
  return offsetMs;
}
