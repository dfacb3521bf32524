import { describe, expect, test } from '@jest/globals';
import { entityFetch, productInputs, rootFetch } from '../../harness/fetchNodes.ts';
import { flattenAt, parallel, type RunningPlan, runPlan, sequence } from '../../harness/runPlan.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const product = { product: { __typename: 'Product', id: '1' } };

const shipping = entityFetch('shipping', {
  serviceName: 'shipping',
  requires: productInputs('id', 'weight'),
});

const requestedSubgraphs = ({ client }: RunningPlan) => client.calls.map(({ request }) => request.subgraph);

async function bring({ client }: RunningPlan, subgraph: string, data: Record<string, unknown>) {
  client.calls.find(({ request }) => request.subgraph === subgraph)?.answer({ data: structuredClone(data) });
  await waitForTurns();
}

const ofShipping = flattenAt('product', shipping);
const ofWeight = flattenAt('product', entityFetch('weight', { serviceName: 'weights' }));

test.each([
  { position: 'before', nodes: [ofWeight, ofShipping] },
  { position: 'after', nodes: [ofShipping, ofWeight] },
])('a fetch whose input comes from a parallel fetch $position it waits for that fetch', async ({ nodes }) => {
  const running = runPlan(sequence(rootFetch('product{__typename id}'), parallel(...nodes)));
  await waitForTurns();
  await bring(running, 'products', product);
  expect(requestedSubgraphs(running)).toEqual(['products', 'weights']);
  await bring(running, 'weights', { _entities: [{ weight: 3 }] });
  expect(requestedSubgraphs(running)).toEqual(['products', 'weights', 'shipping']);
  await bring(running, 'shipping', { _entities: [{ shipping: 7 }] });
  expect(running.execution.tree).toMatchObject({ product: { weight: 3, shipping: 7 } });
  expect(running.completedGroups).toEqual([0]);
});

test('a fetch whose @fromContext argument comes from a parallel fetch waits for that fetch', async () => {
  const ofParts = flattenAt(
    'product.parts.@',
    entityFetch('', {
      serviceName: 'labels',
      requires: [
        { kind: 'InlineFragment', typeCondition: 'Part', selections: [{ kind: 'Field', name: 'id' }] },
      ],
      operation:
        'query($representations:[_Any!]!,$weight:Int){_entities(representations:$representations){...on Part{label(weight:$weight)}}}',
      contextRewrites: [
        { kind: 'KeyRenamer', path: ['..', '... on Product', 'weight'], renameKeyTo: 'weight' },
      ],
    }),
  );
  const running = runPlan(
    sequence(rootFetch('product{__typename id parts{__typename id}}'), parallel(ofWeight, ofParts)),
  );
  await waitForTurns();
  await bring(running, 'products', {
    product: { ...product.product, parts: [{ __typename: 'Part', id: '2' }] },
  });
  expect(requestedSubgraphs(running)).toEqual(['products', 'weights']);
  await bring(running, 'weights', { _entities: [{ weight: 3 }] });
  expect(requestedSubgraphs(running)).toEqual(['products', 'weights', 'labels']);
});

test('a fetch does not wait for a parallel fetch that brings an input once more', async () => {
  const running = runPlan(
    sequence(rootFetch('product{__typename id weight}'), parallel(ofWeight, ofShipping)),
  );
  await waitForTurns();
  await bring(running, 'products', { product: { ...product.product, weight: 2 } });
  expect(requestedSubgraphs(running)).toEqual(['products', 'weights', 'shipping']);
});

describe('a fetch whose input an earlier fetch brings for one type', () => {
  const mediaInputs = (typeCondition: string, ...names: readonly string[]) => ({
    kind: 'InlineFragment' as const,
    typeCondition,
    selections: names.map((name) => ({ kind: 'Field' as const, name })),
  });
  const ofTitle = flattenAt(
    'media.@',
    entityFetch('', {
      serviceName: 'titles',
      requires: [mediaInputs('Film', 'id')],
      operation:
        'query($representations:[_Any!]!){_entities(representations:$representations){...on Film{title}}}',
    }),
  );
  const ofCover = (typeCondition: string) =>
    flattenAt(
      'media.@',
      entityFetch('', {
        serviceName: 'covers',
        requires: [mediaInputs(typeCondition, 'id', 'title')],
        operation: `query($representations:[_Any!]!){_entities(representations:$representations){...on ${typeCondition}{cover}}}`,
      }),
    );
  const media = [
    { __typename: 'Book', id: '1', title: 'One' },
    { __typename: 'Film', id: '2' },
  ];

  test.each([
    ['waits for a parallel fetch that brings it for its own type', 'Film', ['products', 'titles']],
    ['waits for a parallel fetch that brings it for some of its objects', 'Media', ['products', 'titles']],
    [
      'does not wait for a parallel fetch that brings it for another type',
      'Book',
      ['products', 'titles', 'covers'],
    ],
  ])('%s', async (_, type, requested) => {
    const running = runPlan(
      sequence(
        rootFetch('media{__typename ...on Book{id title}...on Film{id}}'),
        parallel(ofTitle, ofCover(type)),
      ),
    );
    await waitForTurns();
    await bring(running, 'products', { media });
    expect(requestedSubgraphs(running)).toEqual(requested);
    await bring(running, 'titles', { _entities: [{ title: 'Two' }] });
    expect(requestedSubgraphs(running)).toEqual(['products', 'titles', 'covers']);
  });
});

test('an operation ends although two of its fetches bring inputs for each other', async () => {
  const weightByShipping = entityFetch('weight', {
    serviceName: 'weights',
    requires: [
      {
        kind: 'InlineFragment',
        typeCondition: 'Product',
        selections: [
          { kind: 'Field', name: 'id' },
          { kind: 'Field', name: 'shipping' },
        ],
      },
    ],
  });
  const running = runPlan(
    sequence(
      rootFetch('product{__typename id}'),
      parallel(flattenAt('product', weightByShipping), ofShipping),
    ),
  );
  await waitForTurns();
  await bring(running, 'products', product);
  await bring(running, 'shipping', { _entities: [{ shipping: 7 }] });
  await bring(running, 'weights', { _entities: [{ weight: 3 }] });
  expect(running.completedGroups).toEqual([0]);
});
