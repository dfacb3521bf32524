import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { registerSupergraphMetrics } from '../../../gateway/supergraph/supergraphMetrics.ts';

test.each([
  ['nothing is wrong', undefined, undefined, { refused: 0, source: 0 }],
  ['the newest supergraph was refused', 'refused: unknown type', undefined, { refused: 1, source: 0 }],
  ['the source cannot be read', undefined, 'no file', { refused: 0, source: 1 }],
  ['both', 'refused: unknown type', 'no file', { refused: 1, source: 1 }],
])('tributary_supergraph_not_updated says that %s', async (_, refusal, sourceProblem, expected) => {
  const registry = new Registry();
  registerSupergraphMetrics(registry, { refusal: () => refusal, sourceProblem: () => sourceProblem });
  const metric = await registry.getSingleMetric('tributary_supergraph_not_updated')?.get();
  const values = metric?.values.map(({ labels, value }) => [labels.reason, value]) ?? [];
  expect(Object.fromEntries(values)).toEqual(expected);
});
