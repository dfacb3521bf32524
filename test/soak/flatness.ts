import type { ProcessState } from './inspectProcess.ts';

type Counts = Readonly<Record<string, number>>;

/** What a gateway held while it was idle. */
export interface QuietSample {
  /** Seconds since the start of the soak, and requests until then. */
  readonly second: number;
  readonly requests: number;
  readonly state: ProcessState;
}

/** How many more listeners, sockets and timers of one kind there may be: those of features and connections that were used
 *  for the first time after the first sample. A leak adds one with each request or fault. */
const allowedMore = (before: number): number => Math.max(5, before / 4);

/** Allowed growth of the heap and of its buffers. Code is compiled between the samples of a short soak. */
const allowedBytes = { short: 4e6, perHour: 3e6 };

/** The kinds of which `after` has more than `before`, beyond what is allowed. */
export function findMore(before: ProcessState, after: ProcessState): string[] {
  const compared: readonly (readonly [string, Counts, Counts])[] = [
    [
      '',
      { sockets: before.sockets, timers: before.timers },
      { sockets: after.sockets, timers: after.timers },
    ],
    ['resource ', before.resources, after.resources],
    ['listener ', before.listeners, after.listeners],
  ];
  return compared.flatMap(([kind, earlier, later]) =>
    Object.entries(later)
      .filter(([name, count]) => count > (earlier[name] ?? 0) + allowedMore(earlier[name] ?? 0))
      .map(([name, count]) => `${kind}${name}: ${count} instead of ${earlier[name] ?? 0}`),
  );
}

/** What grew between the first and the last sample. */
export function findGrowth(samples: readonly QuietSample[]): string[] {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined || first === last)
    return ['there were less than two samples'];
  const problems = findMore(first.state, last.state);
  const hours = (last.second - first.second) / 3_600;
  // Sizes of a short soak are compared at its ends; those of a long one by their trend in its second half.
  const isLong = hours > 0.4;
  const half = samples.slice(Math.floor(samples.length / 2));
  for (const kind of ['heap', 'buffers'] as const) {
    const growth = isLong
      ? slopePerSecond(half.map(({ second, state }) => [second, state[kind]])) * 3_600
      : last.state[kind] - first.state[kind];
    const allowed = isLong ? allowedBytes.perHour : allowedBytes.short;
    if (growth > allowed) {
      problems.push(
        `${kind}: grew by ${megabytes(growth)} MB ${isLong ? 'per hour' : 'in all'}, more than ${megabytes(allowed)} MB`,
      );
    }
  }
  return problems;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** The slope of the line with the least squares. */
function slopePerSecond(points: readonly (readonly [second: number, value: number])[]): number {
  const mean = (index: 0 | 1) => points.reduce((sum, point) => sum + point[index], 0) / points.length;
  const [meanSecond, meanValue] = [mean(0), mean(1)];
  let [products, squares] = [0, 0];
  for (const [second, value] of points) {
    products += (second - meanSecond) * (value - meanValue);
    squares += (second - meanSecond) ** 2;
  }
  return squares === 0 ? 0 : products / squares;
}
