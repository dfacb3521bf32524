import { createRandom, type Random } from '../../subgraphs/shared/random.ts';
import { chooseSeeds, type SeedPool, type SeedRange } from './seeds.ts';

/** The seeds of one run, one for each case. To look for more: FUZZ_SEED=1000 FUZZ_COUNT=20000. A case's seed is
 *  printed with it; to run it alone, that seed with a count of 1. */
interface FuzzSeeds extends SeedRange {
  /** Milliseconds that a run of so many may take before it counts as hanging. */
  readonly timeoutMs: number;
}

export function chooseFuzzSeeds(pool: SeedPool): FuzzSeeds {
  const seeds = chooseSeeds('FUZZ', pool);
  return { ...seeds, timeoutMs: 240_000 + 200 * seeds.count };
}

/** Random choices of one case. `part` keeps parts of a case apart, so that a change to one leaves the others. */
export function createCaseRandom(seed: number, part = 0): Random {
  return createRandom(seed * 7919 + part);
}
