import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { copyJson } from '../../../gateway/json/copyJson.ts';
import { exactReviverFor, parseExactJson } from '../../../gateway/json/exactJson.ts';

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
  ])('finds no number to keep in %s', (text) => {
    expect(exactReviverFor(text)).toBeUndefined();
  });

  test('finds decimals only if it has to keep them', () => {
    const text = '[0.1000000000000000055]';
    expect(exactReviverFor(text, false)).toBeUndefined();
    expect(exactReviverFor(text, true)).toBeDefined();
  });
});
