import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { createUtilizationReader } from '../time/createUtilizationReader.ts';

// V8 collects the young generation at the next turn of the event loop once this percentage of it is filled.
// V8's default is 80. The fuller it is, the longer the pause and the larger the process, and the more objects have died.
const shortPauses = 30;
const littleMemory = 50;
const fewCopies = 80;

/** Utilization of the event loop, from 0 to 1, below which collections may cost more than they have to. */
const busyFrom = 0.5;

/** An early collection finds these objects again: a quarter of the largest young generation, as with 500 clients or responses
 *  with 10,000 entities. */
const manySurvivors = 16 * 1024 ** 2;

interface Dependencies {
  /** Utilization of the event loop since the previous call, from 0 to 1. */
  readonly readUtilization: () => number;
  /** Used bytes of the young generation. */
  readonly readUsedBytes: () => number;
  readonly setFlags: (flag: string) => void;
}

/** After each collection of the heap, decides how full the young generation may be before the next one. Returns a function
 *  that ends it. */
export function adaptYoungCollections({
  readUtilization = createUtilizationReader(),
  readUsedBytes = usedBytesOfYoungGeneration,
  setFlags = setFlagsFromString,
}: Partial<Dependencies> = {}): () => void {
  const fillUpTo = (percent: number) => setFlags(`--minor-gc-task-trigger=${percent}`);
  fillUpTo(shortPauses);
  const observer = new PerformanceObserver(() => {
    if (readUtilization() < busyFrom) fillUpTo(shortPauses);
    else fillUpTo(readUsedBytes() < manySurvivors ? littleMemory : fewCopies);
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}

function usedBytesOfYoungGeneration(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_used_size ?? 0;
}
