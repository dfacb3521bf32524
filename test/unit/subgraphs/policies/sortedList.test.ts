import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SortedList } from '../../../../gateway/subgraphs/policies/sortedList.ts';

describe('a sorted list', () => {
  test('has its items in order after any additions and removals', () => {
    const changes = fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.boolean()), { maxLength: 60 });
    fc.assert(
      fc.property(changes, (all) => {
        const list = new SortedList<number>((a, b) => a - b);
        const expected = new Set<number>();
        for (const [item, isAdded] of all) {
          if (!isAdded && expected.delete(item)) list.remove(item);
          if (!isAdded || expected.has(item)) continue;
          const preceding = [...expected].filter((other) => other < item);
          expected.add(item);
          expect(list.add(item)).toBe(preceding.length);
        }
        const sorted = [...expected].sort((a, b) => a - b);
        expect(list.items).toEqual(sorted);
        expect([list.length, list.first, list.last]).toEqual([sorted.length, sorted[0], sorted.at(-1)]);
      }),
    );
  });
});
