import { durationMsOf, maxDurationMs } from '../duration.ts';
import { scalar } from '../scalars.ts';

/** When a slow call is sent a second time: after a percentile of the latencies, or after a number of milliseconds. */
export type HedgeDelay = `p${number}` | number;

/** A percentile such as `p95`, or a duration. */
export function hedgeDelay() {
  return scalar<string | number, HedgeDelay>({
    title: 'percentile or duration',
    expected: 'a percentile from p50 to p99, such as p95, or a duration such as 50ms',
    read: (input) => {
      if (typeof input === 'string' && /^p[5-9]\d$/.test(input)) return input as HedgeDelay;
      const delayMs = durationMsOf(input);
      const isValid = Number.isInteger(delayMs) && Number(delayMs) >= 1 && Number(delayMs) <= maxDurationMs;
      return isValid ? delayMs : undefined;
    },
    editorSchemas: [
      { type: 'string', pattern: '^(p[5-9]\\d|\\d+((\\.\\d+)?(ms|s|m|h|d))?)$' },
      { type: 'integer', minimum: 1, maximum: maxDurationMs },
    ],
  });
}
