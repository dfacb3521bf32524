import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { readCacheGraph } from '../../../../gateway/cache/rules/cacheGraph.ts';

describe('the graph that cache rules depend on', () => {
  test('has the interfaces and unions of each type, and the object types of each of them in alphabetical order', () => {
    const { types } = readCacheGraph(
      parse(`
        interface Node { id: ID! }
        type C implements Node { id: ID! }
        type A implements Node { id: ID! }
        type B implements Node { id: ID! }
        union Found = B | A
        union Other = A`),
    );
    expect(types.get('Node')?.possibleTypes).toEqual(['A', 'B', 'C']);
    expect(types.get('Found')?.possibleTypes).toEqual(['A', 'B']);
    expect(types.get('A')?.supertypes).toEqual(['Node', 'Found', 'Other']);
    expect([...types.keys()]).toEqual(['Node', 'C', 'A', 'B', 'Found', 'Other']);
  });

  test('returns the same object for a type that is looked up again', () => {
    const { types } = readCacheGraph(parse('type A { id: ID! }'));
    expect(types.get('A')).toBe(types.get('A'));
    expect([types.get('B'), types.has('A'), types.has('B')]).toStrictEqual([undefined, true, false]);
  });

  // The list of an interface was copied and sorted for each of its types: minutes for this graph.
  test('is read in a time proportional to the number of types that implement an interface', () => {
    const names = Array.from({ length: 40_000 }, (_, index) => `T${index}`);
    const { types } = readCacheGraph(
      parse(names.map((name) => `type ${name} implements Node { id: ID! }`).join('\n'), { noLocation: true }),
    );
    expect(new Set(types.get('T0')?.supertypes)).toEqual(new Set(['Node']));
  });
});
