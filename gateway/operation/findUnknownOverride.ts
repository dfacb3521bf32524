import { listOverrideLabels } from '../planning/overrideLabels.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';

/** What is wrong with labels that somebody asked for: `undefined` if the supergraph has all of them. */
export function findUnknownOverride(
  labels: readonly string[],
  supergraph: Pick<Supergraph, 'overrides'>,
): string | undefined {
  const known = listOverrideLabels(supergraph.overrides);
  const unknown = labels.find((label) => !known.includes(label));
  if (unknown === undefined) return undefined;
  const expected = known.length === 0 ? 'has no progressive @override' : `has ${known.join(', ')}`;
  return `No @override has the label "${unknown}": the supergraph ${expected}.`;
}
