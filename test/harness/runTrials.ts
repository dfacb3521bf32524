/** Runs up to `width` trials at once. Problems, in the order of the trials. */
export async function runTrials<T>(
  trials: readonly T[],
  run: (trial: T) => Promise<string | undefined>,
  width = 8,
): Promise<string[]> {
  const problems: (string | undefined)[] = trials.map(() => undefined);
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let index = next++; index < trials.length; index = next++) {
        problems[index] = await run(trials[index] as T);
      }
    }),
  );
  return problems.filter((problem) => problem !== undefined);
}
