import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findJsonProblem } from '../../../gateway/transport/http/findJsonProblem.ts';

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('findJsonProblem', () => {
  test.each([
    ['', 0, 1, 1, 'end of the text'],
    ['{"a":1,}', 7, 1, 8, '"}"'],
    ['{"a":1\n "b":2}', 8, 2, 2, '"\\""'],
    ['[1,\n2,\n]', 7, 3, 1, '"]"'],
    ['{"a":01}', 6, 1, 7, '"1"'],
    ['{a:1}', 1, 1, 2, '"a"'],
    ['"\\x"', 1, 1, 2, '"\\\\"'],
    ['"tab\there"', 4, 1, 5, '"\\t"'],
    ['{} 🎉', 3, 1, 4, '"🎉"'],
  ])(
    'finds the problem in %j at position %i (line %i, column %i), which is %s',
    (text, position, line, column, found) => {
      expect(findJsonProblem(text)).toEqual({ position, line, column, found });
    },
  );

  test('finds the end of a text with a very long string', () => {
    const text = `"${'a'.repeat(20_000_000)}`;
    expect(findJsonProblem(text)).toMatchObject({ position: text.length, found: 'end of the text' });
  });

  test('finds a problem exactly in the texts that JSON.parse rejects, including randomly changed ones', () => {
    const changed = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.constantFrom(
          '',
          ' ',
          '"',
          '\\',
          ',',
          ':',
          '{',
          '}',
          '[',
          ']',
          '0',
          '-',
          'e',
          '.',
          'n',
          '\n',
          '\u0001',
        ),
      )
      .map(([text, at, inserted]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + inserted + text.slice(place + (at % 2));
      });
    fc.assert(
      fc.property(changed, (text) => (findJsonProblem(text) === undefined) === isJson(text)),
      { numRuns: 2000 },
    );
  });

  test('finds a problem at any nesting depth', () => {
    const deep = '['.repeat(40_000);
    expect(findJsonProblem(deep)?.position).toBe(40_000);
  });

  test('does not look for a problem behind more values than a body for people has', () => {
    const withProblem = (zeros: number): string => `[${'0,'.repeat(zeros)}]`;
    expect(findJsonProblem(withProblem(20_000))?.position).toBe(40_001);
    expect(findJsonProblem(withProblem(100_000))).toBeUndefined();
  });
});
