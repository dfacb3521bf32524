import { expect, test } from '@jest/globals';
import { findCriticalPaths } from '../../../gateway/cli/criticalPath.ts';
import type { FetchNode, PlanNode } from '../../../gateway/planning/queryPlan.ts';

function fetch(serviceName: string, id?: string): FetchNode {
  return {
    kind: 'Fetch',
    serviceName,
    ...(id === undefined ? {} : { id }),
    variableUsages: [],
    operation: '{ __typename }',
    operationKind: 'query',
  };
}

function flatten(path: string, node: PlanNode): PlanNode {
  return { kind: 'Flatten', path: path.split('.'), node };
}

function sequence(...nodes: PlanNode[]): PlanNode {
  return { kind: 'Sequence', nodes };
}

function parallel(...nodes: PlanNode[]): PlanNode {
  return { kind: 'Parallel', nodes };
}

test('a plan without fetches has an empty critical path', () => {
  expect(findCriticalPaths({ kind: 'QueryPlan' })).toEqual({ initial: [], deferred: [] });
});

test('the critical path contains the deepest branch of each parallel step', () => {
  const node = sequence(
    fetch('products'),
    parallel(
      flatten('product', fetch('inventory')),
      sequence(flatten('product', fetch('reviews')), flatten('product.reviews.@.author', fetch('accounts'))),
    ),
    flatten('product', fetch('recommendations')),
  );
  expect(findCriticalPaths({ kind: 'QueryPlan', node }).initial).toEqual([
    { subgraph: 'products', path: '' },
    { subgraph: 'reviews', path: 'product' },
    { subgraph: 'accounts', path: 'product.reviews.@.author' },
    { subgraph: 'recommendations', path: 'product' },
  ]);
});

test("the critical path of a deferred block starts with the fetches it depends on, and that of a nested block with its parent's", () => {
  const node: PlanNode = {
    kind: 'Defer',
    primary: { node: parallel(fetch('products', '0'), sequence(fetch('accounts'), fetch('orders'))) },
    deferred: [
      {
        depends: [{ id: '0' }],
        label: '0',
        queryPath: ['product'],
        node: {
          kind: 'Defer',
          primary: { node: flatten('product', fetch('reviews', '1')) },
          deferred: [
            {
              depends: [{ id: '1' }],
              label: '1',
              queryPath: ['product', 'reviews'],
              node: flatten('product.reviews.@', fetch('accounts')),
            },
          ],
        },
      },
      { depends: [], label: '2', queryPath: [], node: fetch('recommendations') },
    ],
  };
  const products = { subgraph: 'products', path: '' };
  const reviews = { subgraph: 'reviews', path: 'product' };
  expect(findCriticalPaths({ kind: 'QueryPlan', node })).toEqual({
    initial: [
      { subgraph: 'accounts', path: '' },
      { subgraph: 'orders', path: '' },
    ],
    deferred: [
      { label: '0', path: 'product', steps: [products, reviews] },
      {
        label: '1',
        path: 'product.reviews',
        steps: [products, reviews, { subgraph: 'accounts', path: 'product.reviews.@' }],
      },
      { label: '2', path: '', steps: [{ subgraph: 'recommendations', path: '' }] },
    ],
  });
});
