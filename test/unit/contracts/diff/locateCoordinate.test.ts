import { describe, expect, it } from '@jest/globals';
import { locateCoordinate, locateDefinition } from '../../../../contracts/diff/locateCoordinate.ts';
import { contractOf } from './subgraphSdl.ts';

const contract = contractOf(`
schema { query: Root }
extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9")
extend type T { extended: Int }
"""
Described.
"""
type T {
  field(
    argument: Int
  ): Int
}
type Root { ping: Int }
enum E {
  VALUE
}
input I { member: Int }
directive @d(argument: Int) on FIELD
`);

describe('locateCoordinate', () => {
  it.each([
    ['T', 9, 6],
    ['T.extended', 5, 17],
    ['T.field', 10, 3],
    ['T.field(argument:)', 11, 5],
    ['Query', 14, 6],
    ['Query.ping', 14, 13],
    ['E.VALUE', 16, 3],
    ['I.member', 18, 11],
    ['@d', 19, 12],
    ['@d(argument:)', 19, 14],
    ['schema', 4, 3],
  ])('locates %s at its definition', (coordinate, line, column) => {
    expect(locateCoordinate(contract, coordinate)).toEqual({ file: contract.file, line, column });
  });

  it.each([
    ['T.field(gone:)', 10],
    ['T.gone(gone:)', 9],
    ['T.gone', 9],
    ['E.GONE', 15],
    ['@d(gone:)', 19],
    ['Gone.field', 1],
    ['@gone', 1],
  ])('locates the missing %s at its nearest ancestor', (coordinate, line) => {
    expect(locateCoordinate(contract, coordinate).line).toBe(line);
  });

  it('returns the start of a file that does not parse', () => {
    const broken = contractOf('type T {');
    expect(locateCoordinate(broken, 'T')).toEqual({ file: broken.file, line: 1, column: 1 });
  });

  it('locates a type at its definition wherever its extensions are', () => {
    const parts = contractOf('extend type T { a: Int }\nextend type T { b: Int }\ntype T { c: Int }');
    expect(locateCoordinate(parts, 'T').line).toBe(3);
  });
});

describe('locateDefinition', () => {
  it('locates the last of several definitions, and a missing argument at its field', () => {
    const twice = contractOf('type T { b: Int }\ntype T { a: Int\n a: Int }');
    const lineOf = (coordinate: string) => locateDefinition(twice, coordinate)?.line;
    expect(['T', 'T.a', 'T.a(gone:)', 'T.gone', 'U', '@gone'].map(lineOf)).toStrictEqual([
      2,
      3,
      3,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('reads a contract once, however many definitions are located in it', () => {
    let reads = 0;
    const counted = {
      ...contract,
      get sdl() {
        reads += 1;
        return contract.sdl;
      },
    };
    for (const coordinate of ['T', 'T.field', 'E', 'missing']) locateDefinition(counted, coordinate);
    expect(reads).toBe(1);
  });
});
