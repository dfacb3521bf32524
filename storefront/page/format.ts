const dates = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' });
const wholeNumbers = new Intl.NumberFormat('en-GB');

export function formatDate(isoDate: string): string {
  const date = new Date(isoDate);
  return Number.isNaN(date.getTime()) ? isoDate : dates.format(date);
}

export function formatCount(count: number): string {
  return wholeNumbers.format(count);
}

/** `ms`: milliseconds. */
export function formatMs(ms: number): string {
  return ms < 10_000 ? `${formatCount(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
