import { expect, test } from '@jest/globals';
import type { PlanNode } from '../../../gateway/planning/queryPlan.ts';
import { ResponseShaper } from '../../../gateway/response/responseShaper.ts';
import type { DeferredInstance } from '../../../gateway/response/shapeData.ts';
import { resolveInSlices } from '../../../gateway/time/slicedTask.ts';
import { entityFetch, rootFetch } from '../../harness/fetchNodes.ts';
import { schemaOf } from '../../harness/normalize.ts';
import { prepareText } from '../../harness/prepareText.ts';
import { flattenAt, runPlan } from '../../harness/runPlan.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const schema = schemaOf('type Query { products: [Product] } type Product { id: ID! stock: Int }');

const plan: PlanNode = {
  kind: 'Defer',
  primary: { node: rootFetch('products{__typename id}', { id: '0' }) },
  deferred: [
    {
      depends: [{ id: '0' }],
      label: '1',
      queryPath: ['products'],
      node: flattenAt('products.@', entityFetch('stock')),
    },
  ],
};

test('an error without a path beside complete data of a deferred fragment in a list is in its first result, with the path of that', async () => {
  const operation = prepareText(schema, '{ products { id ... @defer { stock } } }');
  const { client, execution } = runPlan(plan, { groupCount: 2 });
  const shaper = new ResponseShaper({
    operation,
    execution,
    policy: { exposeSubgraphErrors: true, exposeSubgraphs: false },
    maxBytes: Number.POSITIVE_INFINITY,
  });
  const products = ['1', '2'].map((id) => ({ __typename: 'Product', id }));
  client.calls[0]?.answer({ data: { products } });
  await waitForTurns();
  const { deferred: instances } = await resolveInSlices(shaper.shapeFirst(new Set([0])));
  client.calls[1]?.answer({
    data: { _entities: [{ stock: 1 }, { stock: 2 }] },
    errors: [{ message: 'slow' }],
  });
  await waitForTurns();
  const { fragment } = instances[0] as DeferredInstance;
  const { results } = await resolveInSlices(shaper.shapeFragment(1, fragment.own, instances, false));
  expect(results.map(({ data }) => ({ ...(data as object) }))).toEqual([{ stock: 1 }, { stock: 2 }]);
  expect(results.map(({ errors }) => errors)).toEqual([
    [{ message: 'slow', path: ['products', 0], extensions: { code: 'SUBGRAPH_ERROR' } }],
    [],
  ]);
});
