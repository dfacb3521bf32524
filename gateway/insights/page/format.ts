/** `1.2 s`, `340 ms`, `4.2 ms`. */
export function formatMs(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–';
  if (ms >= 10_000) return `${Math.round(ms / 1_000)} s`;
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}

export function formatShare(share: number): string {
  if (share > 0 && share < 0.01) return '< 1 %';
  return `${Math.round(share * 100)} %`;
}

export function formatCount(count: number): string {
  return count.toLocaleString('en');
}

export function formatTime(iso: string): string {
  return new Date(iso).toLocaleTimeString('en', { hour12: false });
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
