const dates = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' });
const wholeNumbers = new Intl.NumberFormat('en-GB');

export function formatDate(isoDate: string): string {
  const date = new Date(isoDate);
  return Number.isNaN(date.getTime()) ? isoDate : dates.format(date);
}

export function formatCount(count: number): string {
  return wholeNumbers.format(count);
}
