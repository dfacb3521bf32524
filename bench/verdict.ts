/** `slower`: beyond the limit; `undecided`: more pairs are needed. */
type Verdict = 'slower' | 'within' | 'undecided';

/** Classifies the ratios of pairs that were measured one directly after the other. The bounds are those of the sign test
 *  for the median, at 95 %: they make no assumption about the distribution, and an outlier does not move them.
 *  @param limit such as 1.05 */
export function verdictOf(ratios: readonly number[], limit: number): Verdict {
  const bounds = medianBounds(ratios);
  if (bounds === undefined) return 'undecided';
  if (bounds.lower > limit) return 'slower';
  return bounds.upper <= limit ? 'within' : 'undecided';
}

/** The bounds of the median; `undefined` if there are too few values for any at 95 %. */
export function medianBounds(
  values: readonly number[],
): { readonly lower: number; readonly upper: number } | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  // The largest rank below which at most 2.5 % of the binomial distribution lie.
  let outside = 0;
  let rank = 0;
  let probability = 0.5 ** sorted.length;
  while (outside + probability <= 0.025) {
    outside += probability;
    probability *= (sorted.length - rank) / (rank + 1);
    rank++;
  }
  const [lower, upper] = [sorted[rank - 1], sorted[sorted.length - rank]];
  return lower === undefined || upper === undefined ? undefined : { lower, upper };
}
