import { maxTimerMs } from '../time/timers.ts';

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The longest duration of an option, in milliseconds. */
export const maxDurationMs = maxTimerMs;

/** The same in whole hours, for messages. */
export const maxDurationText = '596h';

/** Parses `250ms`, `2s`, `1.5m`, `1h` or `1d` to milliseconds; `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * unitMs[match[2] as keyof typeof unitMs]);
}

/** Milliseconds of a duration in an unparsed configuration, where a number without a unit is one of milliseconds, also as
 *  text; `undefined` for a value of another type. */
export function durationMsOf(value: unknown): number | undefined {
  if (typeof value === 'string') return parseWholeNumber(value) ?? parseDuration(value);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Parses digits; `undefined` for anything else. */
export function parseWholeNumber(text: string): number | undefined {
  return /^\s*\d+\s*$/.test(text) ? Number(text) : undefined;
}

/** Formats milliseconds in the largest unit without a remainder: 15000 is `15s`, 1500 is `1500ms`. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms !== 0 && ms % unitMs[unit] === 0) return `${ms / unitMs[unit]}${unit}`;
  }
  return `${ms}ms`;
}
