import { describe, expect, test } from '@jest/globals';
import { type GraphQLError, getOperationAST, type OperationDefinitionNode, parse } from 'graphql';
import { parseExactJson } from '../../../gateway/json/exactJson.ts';
import { coerceVariables } from '../../../gateway/operation/coerceVariables.ts';
import { schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf(`
  scalar Anything
  input In { a: Int text: String in: In list: [In] }
  type Query { take(in: In anything: Anything numbers: [Int!] colour: Colour): Int }
  enum Colour { RED }
`);

function coerce(definitions: string, given: Record<string, unknown>, maxValues = 10) {
  const operation = getOperationAST(parse(`query(${definitions}) { take }`)) as OperationDefinitionNode;
  return coerceVariables(schema, operation, given, maxValues);
}

function messages(definitions: string, given: Record<string, unknown>): string[] {
  const coerced = coerce(definitions, given, 10_000);
  if (coerced.kind !== 'refused') throw new Error('They are taken.');
  return coerced.errors.map((error: GraphQLError) => error.message);
}

describe('coerceVariables', () => {
  test('accepts as many values as the limit allows in all variables together', () => {
    const given = { v: [1, 2, 3, 4, 5, 6], w: { in: { a: 1 }, list: [{}] } };
    expect(coerce('$v: [Int!], $w: In', given, 10).kind).toBe('coerced');
    expect(() => coerce('$v: [Int!], $w: In', given, 9)).toThrow(
      'The variables hold at least 10 values; at most 9 are allowed (limits.variableValues).',
    );
  });

  test('truncates long strings in messages about invalid variables', () => {
    const long = 'x'.repeat(100_000);
    expect(messages('$v: In, $w: Int', { v: { a: 'y', text: long, zz: 1 }, w: long })).toEqual([
      'Variable "$v" got invalid value "y" at "v.a"; Int cannot represent non-integer value: "y"',
      `Variable "$v" got invalid value { a: "y", text: "${'x'.repeat(199)}…", zz: 1 }; Field "zz" is not defined by type "In".`,
      `Variable "$w" got invalid value "${'x'.repeat(199)}…"; Int cannot represent non-integer value: "${'x'.repeat(199)}…"`,
    ]);
  });

  test('quotes numbers in messages as the client has sent them', () => {
    const given = parseExactJson(`{
      "v": { "a": 9007199254740993, "in": { "a": -90071992547409931 }, "text": 1${'0'.repeat(400)} },
      "w": [4000000000, 1, 0.12345678901234567891],
      "s": { "a": 12345678901234567, "text": "12345678901234568", "zz": 12345678901234567 }
    }`) as Record<string, unknown>;
    const notInt = 'Int cannot represent non 32-bit signed integer value';
    const notString = 'String cannot represent a non string value';
    const long = `1${'0'.repeat(38)}…`;
    expect(messages('$v: In, $w: [Int!], $s: In', given)).toEqual([
      `Variable "$v" got invalid value 9007199254740993 at "v.a"; ${notInt}: 9007199254740993`,
      `Variable "$v" got invalid value ${long} at "v.text"; ${notString}: ${long}`,
      `Variable "$v" got invalid value -90071992547409931 at "v.in.a"; ${notInt}: -90071992547409931`,
      `Variable "$w" got invalid value 4000000000 at "w[0]"; ${notInt}: 4000000000`,
      'Variable "$w" got invalid value 0.12345678901234567891 at "w[2]"; Int cannot represent non-integer value: 0.12345678901234567891',
      `Variable "$s" got invalid value 12345678901234567 at "s.a"; ${notInt}: 12345678901234567`,
      'Variable "$s" got invalid value { a: 12345678901234567, text: "12345678901234568", zz: 12345678901234567 }; Field "zz" is not defined by type "In".',
    ]);
  });

  test('reports at most 50 errors', () => {
    const reported = messages('$v: [Int!]', { v: new Array(1000).fill('a') });
    expect(reported).toHaveLength(51);
    expect(reported.at(-1)).toMatch(/Too many errors/);
  });

  test('reports fewer errors if each of them quotes large objects', () => {
    const fields = (count: number, value: () => unknown) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, value()]));
    const unknown = fields(50, () => fields(40, () => 'x'.repeat(150)));
    const reported = messages('$v: In', { v: unknown });
    expect(reported.join().length).toBeLessThan(1_100_000);
    expect(reported).toHaveLength(4);
    expect(reported.at(-1)).toMatch(/Too many errors/);
  });

  test('names 50 fields of an object with more of them, and truncates long names', () => {
    const names = Array.from({ length: 6_000 }, (_, n) => `k${n}`);
    const reported = messages('$v: In', { v: Object.fromEntries(names.map((name) => [name, 1])) });
    expect(reported[0]).toBe(
      `Variable "$v" got invalid value { ${names.slice(0, 50).join(', ')}, … 5950 more }; Field "k0" is not defined by type "In".`,
    );
    expect(reported).toHaveLength(51);
    const [named] = messages('$v: In', { v: { ['y'.repeat(100_000)]: 1 } });
    expect(named).toContain(`${'y'.repeat(199)}…`);
    expect(named?.length).toBeLessThan(1_000);
  });

  test('does not take members of Object.prototype for fields of an input object', () => {
    const named = schemaOf(`
      input Named { constructor: String toString: Int = 3 valueOf: [Named] hasOwnProperty: Anything }
      scalar Anything
      type Query { take(named: Named): Int }
    `);
    const operation = getOperationAST(
      parse('query($v: Named) { take(named: $v) }'),
    ) as OperationDefinitionNode;
    const read = (given: object) => coerceVariables(named, operation, { v: given }, 100);
    expect(read({ valueOf: [{ constructor: 'c' }, {}] })).toEqual({
      kind: 'coerced',
      values: {
        v: { toString: 3, valueOf: [{ constructor: 'c', toString: 3 }, { toString: 3 }] },
      },
    });
    expect(read({ hasOwnProperty: JSON.parse('{"__proto__":{"a":1}}') })).toMatchObject({ kind: 'coerced' });
    expect(read({ constructor: 1 })).toMatchObject({ kind: 'refused' });
  });

  test('returns valid values unchanged', () => {
    const text = 'x'.repeat(1000);
    expect(coerce('$v: In, $c: Colour = RED', { v: { text } })).toEqual({
      kind: 'coerced',
      values: { v: { text }, c: 'RED' },
    });
  });
});
