/** `1.2 s`, `340 ms`, `4.2 ms`. */
export function formatMs(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–';
  if (ms >= 10_000) return `${Math.round(ms / 1_000)} s`;
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}

export function formatShare(share: number): string {
  if (share > 0 && share < 0.01) return '< 1 %';
  if (share > 0.99 && share < 1) return '> 99 %';
  return `${Math.round(share * 100)} %`;
}

/** Of something per second. */
export function formatRate(rate: number): string {
  return rate.toLocaleString('en', { maximumFractionDigits: rate < 10 ? 2 : 1 });
}

export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

/** `1 answer`, `2,000 answers`. */
export function formatCountOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** The time of the day, with the date unless that is today. */
export function formatTime(iso: string): string {
  const time = new Date(iso);
  const clock = time.toLocaleTimeString('en', { hourCycle: 'h23' });
  if (time.toDateString() === new Date().toDateString()) return clock;
  return `${time.toLocaleDateString('en', { day: 'numeric', month: 'short' })}, ${clock}`;
}

export function formatAge(ms: number): string {
  if (ms < 60_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

/** Where a fetch belongs: `product.reviews`, or the root. */
export function formatPath(path: readonly string[]): string {
  return path.length === 0 ? 'root' : path.join('.');
}
