import process from 'node:process';

export interface SeedRange {
  readonly first: number;
  readonly count: number;
  readonly all: readonly number[];
}

export interface SeedPool {
  /** How many seeds one `npm test` takes of the pool: all of them for a suite that also counts what they meet. */
  readonly perRun: number;
  /** Seeds from 1 up to this one are known to pass: a commit does not fail for the cases that it happens to get. */
  readonly pool: number;
  /** `npm run test:long` takes seeds from 1 up to this one, to find what the pool does not show. */
  readonly long: number;
}

/** True in `npm run test:long`. */
export const isLongRun = process.env.TEST_LONG === '1';

/** The seeds that generated cases are made from. `npm test` takes a part of the pool that changes with the commit, so
 *  that a commit always gets the same cases and many commits get all of them. `<variable>_SEED` and `<variable>_COUNT`
 *  in the environment say otherwise. */
export function chooseSeeds(variable: 'DIFFERENTIAL' | 'FUZZ', { perRun, pool, long }: SeedPool): SeedRange {
  const { [`${variable}_SEED`]: givenFirst, [`${variable}_COUNT`]: givenCount } = process.env;
  const count = Number(givenCount ?? (isLongRun ? long : perRun));
  const first = Number(
    givenFirst ?? (isLongRun ? 1 : firstSeedOf(process.env.TEST_COMMIT, pool - perRun + 1)),
  );
  return { first, count, all: Array.from({ length: count }, (_, index) => first + index) };
}

/** From 1 up to `choices`; 1 without a commit. */
function firstSeedOf(commit: string | undefined, choices: number): number {
  const number = Number.parseInt(commit?.slice(0, 8) ?? '', 16);
  return Number.isNaN(number) ? 1 : 1 + (number % choices);
}
