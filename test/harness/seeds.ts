import process from 'node:process';

export interface SeedRange {
  readonly first: number;
  readonly count: number;
  readonly all: readonly number[];
}

export interface SeedPool {
  /** The number of seeds from the pool in one `npm test`. A suite that also counts its cases uses all of them. */
  readonly perRun: number;
  /** All seeds from 1 to this one are known to pass, so that no commit fails because of the seeds that it gets. */
  readonly pool: number;
  /** `npm run test:long` uses the seeds from 1 to this one, to find failures beyond the pool. */
  readonly long: number;
}

/** Whether this is `npm run test:long`. */
export const isLongRun = process.env.TEST_LONG === '1';

/** The seeds of generated cases. `npm test` uses a part of the pool that depends on the commit, so that a commit
 *  always gets the same cases, and many commits cover the pool. `<variable>_SEED` and `<variable>_COUNT` in the
 *  environment override this. */
export function chooseSeeds(variable: 'DIFFERENTIAL' | 'FUZZ', { perRun, pool, long }: SeedPool): SeedRange {
  const { [`${variable}_SEED`]: givenFirst, [`${variable}_COUNT`]: givenCount } = process.env;
  const count = Number(givenCount ?? (isLongRun ? long : perRun));
  const first = Number(
    givenFirst ?? (isLongRun ? 1 : firstSeedOf(process.env.TEST_COMMIT, pool - perRun + 1)),
  );
  return { first, count, all: Array.from({ length: count }, (_, index) => first + index) };
}

/** Which of `count` equal parts of a suite's cases this commit runs: the number of the part, from 0. `undefined` for all
 *  of them, in `npm run test:long`. */
export function choosePart(count: number): number | undefined {
  return isLongRun ? undefined : firstSeedOf(process.env.TEST_COMMIT, count) - 1;
}

/** A seed from 1 to `choices`; 1 without a commit. */
function firstSeedOf(commit: string | undefined, choices: number): number {
  const number = Number.parseInt(commit?.slice(0, 8) ?? '', 16);
  return Number.isNaN(number) ? 1 : 1 + (number % choices);
}
