import { createRandom, type Random } from '../../subgraphs/shared/random.ts';
import { chooseSeeds, type SeedPool, type SeedRange } from './seeds.ts';

/** The seeds of one run, one for each case. To run more cases: FUZZ_SEED=1000 FUZZ_COUNT=20000. A failure shows the
 *  seed of its case; to run it alone, use that seed with a count of 1. */
interface FuzzSeeds extends SeedRange {
  /** The time limit of a run with this many cases, in milliseconds. */
  readonly timeoutMs: number;
}

export function chooseFuzzSeeds(pool: SeedPool): FuzzSeeds {
  const seeds = chooseSeeds('FUZZ', pool);
  return { ...seeds, timeoutMs: 240_000 + 200 * seeds.count };
}

/** Creates the random choices of one case. Each `part` of a case has its own sequence, so that a change to one part
 *  leaves the others unchanged. */
export function createCaseRandom(seed: number, part = 0): Random {
  return createRandom(seed * 7919 + part);
}
