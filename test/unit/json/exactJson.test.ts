import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GraphQLFloat, GraphQLID, GraphQLInt, GraphQLString } from 'graphql';
import { copyJson } from '../../../gateway/json/copyJson.ts';
import {
  clientReviverFor,
  exactReviverFor,
  isRawInteger,
  JsonLimitError,
  mayHaveLongNumber,
  parseExactJson,
  serializeScalar,
} from '../../../gateway/json/exactJson.ts';

const longNumbers = [
  '9007199254740993',
  '-9007199254740993',
  '123456789012345678901234567890',
  '0.1000000000000000055',
  '-12345678.123456789',
  '1.000000000000000000',
  '12345678901234567890e400',
  '9007199254740993E-2',
];

describe('parseExactJson', () => {
  test.each(longNumbers)('keeps all digits of %s, wherever the number is in the text', (number) => {
    for (let shift = 0; shift < 20; shift++) {
      const text = `{"${'k'.repeat(shift)}":[1,{"a":${number}},${number}]}`;
      expect(JSON.stringify(parseExactJson(text))).toBe(text);
      expect(JSON.stringify(copyJson(parseExactJson(text)))).toBe(text);
    }
    expect(JSON.stringify(parseExactJson(number))).toBe(number);
    expect(JSON.stringify(parseExactJson(`[ 1,\n\t${number} ]`))).toBe(`[1,${number}]`);
  });

  test('equals JSON.parse for texts without such numbers', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(parseExactJson(text)).toEqual(JSON.parse(text));
        expect(copyJson(value)).toEqual(value);
      }),
    );
  });

  test('leaves long texts and other values beside such numbers as they are', () => {
    const text = '["a text of many characters",true,null,9007199254740992]';
    const [, ...values] = parseExactJson(`[9007199254740993,${text.slice(1)}`) as unknown[];
    expect(values).toEqual(JSON.parse(text));
  });

  test('keeps numbers of up to 10,000 characters', () => {
    expect(JSON.stringify(parseExactJson('9'.repeat(10_000)))).toHaveLength(10_000);
    expect(parseExactJson('9'.repeat(10_001))).toBe(Number.POSITIVE_INFINITY);
  });

  test('keeps a key named __proto__', () => {
    const text = '{"__proto__":{"a":9007199254740993}}';
    expect(JSON.stringify(copyJson(parseExactJson(text)))).toBe(text);
  });

  test.each(['[1234567890123456.5.5]', '[01234567890123456789]', '[12345678901234567890'])(
    'refuses %s like JSON.parse',
    (text) => {
      expect(() => parseExactJson(text)).toThrow(SyntaxError);
    },
  );
});

describe('exactReviverFor', () => {
  test.each([
    '["9007199254740993"]',
    '["-9007199254740993"]',
    '["a9007199254740993b"]',
    '["order 9007199254740993"]',
    '[9007199254740991, 1764457200000000]',
    '[0.30000000000000004, 4.333333333333333]',
    // As a text, it differs from what JavaScript writes for the number.
    '[1234567890123e-45]',
  ])('finds no number to keep in %s, wherever it is in the text', (text) => {
    for (let shift = 0; shift < 20; shift++)
      expect(exactReviverFor(`["${'k'.repeat(shift)}",${text}]`)).toBeUndefined();
  });

  test.each(['[0.1000000000000000055]', '[12345678901234567.5]'])(
    'finds the decimal in %s only if it has to keep decimals',
    (text) => {
      expect(exactReviverFor(text, false)).toBeUndefined();
      expect(exactReviverFor(text)).toBeDefined();
    },
  );
});

describe('clientReviverFor', () => {
  const zeros = (count: number) => ',0'.repeat(count);
  const most = `[9007199254740993,[null,{"a":[1]}]${zeros(99_993)}]`;

  test('returns the reviver for a text with up to 100,000 values, lists and objects included', () => {
    expect(clientReviverFor(most)).toBeDefined();
    expect(() => clientReviverFor(most.replace(']', ',true]'))).toThrow(JsonLimitError);
  });

  test('does not limit the values of a text without a number to keep', () => {
    expect(clientReviverFor(`[1${zeros(200_000)}]`)).toBeUndefined();
  });
});

describe('mayHaveLongNumber', () => {
  test.each([
    ['9007199254740993', true],
    ['"9007199254740993"', true],
    ['0.10000000000000', true],
    ['900719925474099', false],
    ['-900719925474099', false],
    ['0.1000000000000', false],
    ['900719925474099,9007199254740993', true],
    ['900719925474099,900719925474099', false],
    ['90071992547409:9007199254740', false],
  ])('of %s is %j, wherever it is in the text', (text, expected) => {
    for (let shift = 0; shift < 20; shift++) {
      for (const end of ['', ' ', 'abc'])
        expect([shift, mayHaveLongNumber(Buffer.from(' '.repeat(shift) + text + end))]).toEqual([
          shift,
          expected,
        ]);
    }
  });
});

describe('a raw number', () => {
  const [integer, decimal] = parseExactJson('[9007199254740993, 0.1000000000000000055]') as unknown[];

  test('is its text for String, and for ID if it is an integer', () => {
    expect(serializeScalar(GraphQLString, integer)).toBe('9007199254740993');
    expect(serializeScalar(GraphQLString, decimal)).toBe('0.1000000000000000055');
    expect(serializeScalar(GraphQLID, integer)).toBe('9007199254740993');
    expect(() => serializeScalar(GraphQLID, decimal)).toThrow('ID cannot represent value: 0.1');
    expect([integer, decimal, '1', 1].map(isRawInteger)).toEqual([true, false, false, false]);
  });

  test('is a JavaScript number for the other types, as an ordinary one is', () => {
    expect(serializeScalar(GraphQLFloat, decimal)).toBe(0.1);
    expect(() => serializeScalar(GraphQLInt, integer)).toThrow('Int cannot represent');
    expect(serializeScalar(GraphQLFloat, 1.5)).toBe(1.5);
    expect(serializeScalar(GraphQLString, 1.5)).toBe('1.5');
  });
});
