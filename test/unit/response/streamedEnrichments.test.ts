import { describe, expect, test } from '@jest/globals';
import type { GraphQLObjectType } from 'graphql';
import { SelectionSet } from '../../../gateway/operation/selection.ts';
import type { PendingField } from '../../../gateway/response/shapeData.ts';
import { parentObjectPathOf, StreamedEnrichments } from '../../../gateway/response/streamedEnrichments.ts';
import { schemaOf } from '../../harness/normalize.ts';

const type = schemaOf('type Query { a: Int }').getQueryType() as GraphQLObjectType;
const [one, other] = [new SelectionSet([]), new SelectionSet([])] as const;

function placeOf(
  set: SelectionSet,
  path: PendingField['path'],
  enrichments: readonly number[],
): PendingField {
  const field = path.at(-1);
  return {
    path,
    selectionSet: set,
    type,
    enrichments,
    enrichment: enrichments[0] ?? 0,
    object: {},
    field: typeof field === 'string' ? field : undefined,
  };
}

function start(...complete: number[]) {
  const groups = new Set(complete);
  const completed: number[] = [];
  const fragments = new StreamedEnrichments({
    firstId: 5,
    isComplete: (group) => groups.has(group),
    onComplete: (id) => completed.push(id),
  });
  return {
    fragments,
    completed,
    complete(group: number): void {
      groups.add(group);
      fragments.completeGroup();
    },
  };
}

describe('fragments for what is late', () => {
  test('are one for each selection, with ids after those of the operation, at each of their places', () => {
    const { fragments } = start();
    const instances = fragments.add([
      placeOf(one, ['products', 0, 'advice'], [1]),
      placeOf(other, ['products', 0, 'stock'], [2]),
      placeOf(one, ['products', 1, 'advice'], [1]),
      placeOf(other, ['all', 3], [2]),
    ]);
    expect(instances.map(({ fragment, path }) => [fragment.id, path.join('.')])).toEqual([
      [5, 'products.0'],
      [6, 'products.0'],
      [5, 'products.1'],
      [6, 'all.3'],
    ]);
    expect(instances.every(({ fragment }) => fragments.has(fragment))).toBe(true);
  });

  test('are complete when all that they wait for is', () => {
    const { fragments, completed, complete } = start(0);
    const [first] = fragments.add([placeOf(one, ['advice'], [0, 2]), placeOf(other, ['stock'], [2])]);
    expect(first && [...fragments.groupsOf(first.fragment)]).toEqual([1, 3]);
    complete(3);
    expect(completed).toEqual([6]);
    complete(2);
    complete(1);
    complete(4);
    expect(completed).toEqual([6, 5]);
  });

  test('are complete at once where everything has come meanwhile', () => {
    const { fragments, completed } = start(0, 1);
    fragments.add([placeOf(one, ['advice'], [0])]);
    expect(completed).toEqual([5]);
  });

  test('are not what a client has deferred', () => {
    const { fragments } = start();
    const [instance] = fragments.add([placeOf(one, ['advice'], [0])]);
    const own = { ...instance?.fragment, kind: 'Deferred', id: 0 } as Parameters<typeof fragments.has>[0];
    expect(fragments.has(own)).toBe(false);
  });
});

test('a field comes to its object, and an element to itself', () => {
  expect(parentObjectPathOf(placeOf(one, ['product', 'advice'], [0]))).toEqual(['product']);
  expect(parentObjectPathOf(placeOf(one, ['products', 1], [0]))).toEqual(['products', 1]);
});
