import { afterAll, expect, test } from '@jest/globals';
import { planOperation } from '../../../gateway/operation/planOperation.ts';
import { loadDemoSupergraph, planDemoOperation } from '../../differential/planDemoOperation.ts';

const supergraph = await loadDemoSupergraph();
afterAll(() => supergraph.planner.close());

test('several mutations planned from the printed text alone, as for a new supergraph, get the same plan', async () => {
  const document =
    'mutation { one: updateProfile(input: {displayName: "One"}) { displayName reviews(first: 1) ' +
    '{ author { displayName } } } two: updateProfile(input: {displayName: "Two"}) { displayName } }';
  const asked = await planDemoOperation(supergraph, { source: document, variables: {} });
  const warmed = await planOperation(supergraph.planner, {
    document,
    whole: undefined,
    overrides: [],
  });
  expect(warmed).toMatchObject({ plan: asked, isSplitByPlanner: true });
  expect(asked.node).toMatchObject({
    kind: 'Sequence',
    nodes: [
      { kind: 'Fetch', serviceName: 'accounts', operationKind: 'mutation' },
      { kind: 'Flatten', node: { serviceName: 'reviews' } },
      { kind: 'Flatten', node: { serviceName: 'accounts', operationKind: 'query' } },
      { kind: 'Fetch', serviceName: 'accounts', operationKind: 'mutation' },
    ],
  });
});
