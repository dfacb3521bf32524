import { parse } from 'graphql';
import { listOverrideLabels } from '../planning/overrideLabels.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { relevantOverrides } from './relevantOverrides.ts';

type LabelledSupergraph = Pick<Supergraph, 'overrides' | 'apiSchema'>;

/** The sets of labels with which a printed operation is planned for the next supergraph, if it was used with
 *  `overrides` before. A label that is new there, perhaps since its percentage has changed, may be on or off. */
export function overridesToWarm(
  next: LabelledSupergraph,
  previous: LabelledSupergraph,
  operation: string,
  overrides: readonly string[],
): readonly (readonly string[])[] {
  if (next.overrides.size === 0) return [[]];
  const before = new Set(listOverrideLabels(previous.overrides));
  const relevant = relevantOverrides(next, parse(operation, { noLocation: true }), undefined);
  const kept = relevant.filter((label) => overrides.includes(label));
  const withNew = relevant.filter((label) => overrides.includes(label) || !before.has(label));
  return withNew.length === kept.length ? [kept] : [kept, withNew];
}
