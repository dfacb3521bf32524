/** The day in UTC, `2027-01-31`. */
export function utcDate(now: Date = new Date()): string {
  return now.toISOString().slice(0, 10);
}
