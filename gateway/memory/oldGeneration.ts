import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import { collectGarbage } from './collectGarbage.ts';

/** Spaces of the young generation. */
const youngSpaces: ReadonlySet<string> = new Set(['new_space', 'new_large_object_space']);

/** V8's `heap_size_limit` contains three semi-spaces: the two of the young generation, and one for its large objects. */
const semiSpacesInLimit = 3;

/** The largest default of V8, which depends on its version and on the memory of the machine. With too large a size, the old
 *  generation only seems fuller than it is. */
const defaultSemiSpaceMb = 32;

/** Used share of the old generation, from 0 to 1. V8 ends the process when the old generation is full, however empty the young
 *  one is: with a small heap, the used share of the whole heap limit is then far below 1. Takes 5 µs. */
export function usedShareOfOldGeneration(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  const young = getHeapSpaceStatistics()
    .filter(({ space_name }) => youngSpaces.has(space_name))
    .reduce((sum, { space_used_size }) => sum + space_used_size, 0);
  return (used - young) / (limit - youngLimit);
}

/** Whether values that grow must stop growing: V8 ends the process at a full old generation, and a long list needs room for its
 *  copy. Garbage does not count, as of the last collection here, which takes up to a second. Young objects may all be in use,
 *  and are old after the next collection. Takes 2 µs, as long as there is room for them. */
export function isOldGenerationFull(): boolean {
  const share = shareWithYoung();
  if (share < fullShare) return false;
  if (performance.now() - collectedAt < collectionIntervalMs)
    return share >= fullShareWithYoung || usedShareOfOldGeneration() >= fullShare;
  collectGarbage('regular');
  collectedAt = performance.now();
  // Young objects have survived the collection, so they are in use.
  return shareWithYoung() >= fullShare;
}

/** Used share of the old generation, as if all young objects were old. */
function shareWithYoung(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / (limit - youngLimit);
}

const fullShare = 0.75;
const fullShareWithYoung = 0.9;
const collectionIntervalMs = 2_000;
let collectedAt = Number.NEGATIVE_INFINITY;

/** What V8 reserves for the young generation with these flags of Node, of which the last one counts, in bytes. */
export function youngGenerationLimit(flags: string): number {
  const sizes = Array.from(flags.matchAll(/--max[-_]semi[-_]space[-_]size=(\d+)/g), ([, size]) =>
    Number(size),
  );
  const semiSpaceMb = sizes.at(-1) || defaultSemiSpaceMb;
  // V8 rounds up to a power of two.
  return semiSpacesInLimit * 2 ** Math.ceil(Math.log2(semiSpaceMb)) * 1024 ** 2;
}

const youngLimit = youngGenerationLimit([process.env.NODE_OPTIONS, ...process.execArgv].join(' '));
