import { expect, test } from '@jest/globals';
import { locateDefinition } from '../../../../contracts/graph/locateInContract.ts';

const sdl = `
"""
Described.
"""
type T {
  field(argument: Int): Int
}
extend type T { field: Int other: Int }
enum E {
  VALUE
}
`;
const contract = { name: 't', url: 'http://t.invalid/', file: 't.graphql', sdl };

test.each([
  ['T', 'first', 5, 1],
  ['T', 'last', 8, 1],
  ['T.field', 'first', 6, 3],
  ['T.field(argument:)', 'first', 6, 3],
  ['T.field', 'last', 8, 17],
  ['T.other', 'first', 8, 28],
  ['E.VALUE', 'first', 10, 3],
] as const)('locateDefinition locates %s, the %s definition', (coordinate, which, line, column) => {
  expect(locateDefinition(contract, coordinate, which)).toEqual({ file: 't.graphql', line, column });
});

test.each(['U', 'T.missing', 'field'])('locateDefinition finds nothing for %s', (coordinate) => {
  expect(locateDefinition(contract, coordinate)).toBeUndefined();
});

test('a contract is parsed once, however many definitions are located in it', () => {
  let reads = 0;
  const counted = {
    ...contract,
    get sdl() {
      reads += 1;
      return sdl;
    },
  };
  for (const coordinate of ['T', 'T.field', 'E', 'missing']) locateDefinition(counted, coordinate);
  expect(reads).toBe(1);
});
