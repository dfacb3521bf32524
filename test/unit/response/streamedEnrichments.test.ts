import { describe, expect, test } from '@jest/globals';
import type { GraphQLObjectType } from 'graphql';
import { SelectionSet } from '../../../gateway/operation/selection.ts';
import type { PendingField } from '../../../gateway/response/shapeData.ts';
import { parentObjectPathOf, StreamedEnrichments } from '../../../gateway/response/streamedEnrichments.ts';
import { schemaOf } from '../../harness/normalize.ts';

const type = schemaOf('type Query { a: Int }').getQueryType() as GraphQLObjectType;
const [one, other] = [new SelectionSet([]), new SelectionSet([])] as const;

function placeOf(set: SelectionSet, path: PendingField['path'], groups: readonly number[]): PendingField {
  const field = path.at(-1);
  return {
    path,
    selectionSet: set,
    type,
    groups,
    group: groups[0] ?? 1,
    object: {},
    field: typeof field === 'string' ? field : undefined,
  };
}

function start(...complete: number[]) {
  const groups = new Set(complete);
  const completed: number[] = [];
  const fragments = new StreamedEnrichments({
    firstGroup: 5,
    isComplete: (group) => groups.has(group),
    onComplete: (group) => completed.push(group),
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

describe('fragments for streamed enrichments', () => {
  test('are one per selection set, with groups after those of the operation, at all their paths', () => {
    const { fragments } = start();
    const instances = fragments.add([
      placeOf(one, ['products', 0, 'advice'], [2]),
      placeOf(other, ['products', 0, 'stock'], [3]),
      placeOf(one, ['products', 1, 'advice'], [2]),
      placeOf(other, ['all', 3], [3]),
    ]);
    expect(instances.map(({ fragment, path }) => [fragment.group, path.join('.')])).toEqual([
      [5, 'products.0'],
      [6, 'products.0'],
      [5, 'products.1'],
      [6, 'all.3'],
    ]);
    expect(instances.every(({ fragment }) => fragments.has(fragment))).toBe(true);
  });

  test('are complete when all their groups are', () => {
    const { fragments, completed, complete } = start(0);
    const [first] = fragments.add([placeOf(one, ['advice'], [1, 3]), placeOf(other, ['stock'], [3])]);
    expect(first && [...fragments.groupsOf(first.fragment)]).toEqual([1, 3]);
    complete(3);
    expect(completed).toEqual([6]);
    complete(2);
    complete(1);
    complete(4);
    expect(completed).toEqual([6, 5]);
  });

  test('are complete at once when their groups are complete already', () => {
    const { fragments, completed } = start(0, 1);
    fragments.add([placeOf(one, ['advice'], [1])]);
    expect(completed).toEqual([5]);
  });

  test('are distinguished from fragments that the client has deferred', () => {
    const { fragments } = start();
    const [instance] = fragments.add([placeOf(one, ['advice'], [1])]);
    const own = { ...instance?.fragment, kind: 'Deferred', group: 1 } as Parameters<typeof fragments.has>[0];
    expect(fragments.has(own)).toBe(false);
  });
});

test('a pending field is delivered to its object, and a list element to itself', () => {
  expect(parentObjectPathOf(placeOf(one, ['product', 'advice'], [1]))).toEqual(['product']);
  expect(parentObjectPathOf(placeOf(one, ['products', 1], [1]))).toEqual(['products', 1]);
});
