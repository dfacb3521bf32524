/** Whether `at` is less than `intervalMs` after `since`, both in milliseconds since 1970. It is not if the clock was set
 *  back in between: the interval would last that much longer. */
export function isWithin(intervalMs: number, since: number, at: number): boolean {
  return at >= since && at - since < intervalMs;
}
