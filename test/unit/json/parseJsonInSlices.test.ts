import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseJsonInSlices } from '../../../gateway/json/parseJsonInSlices.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';

const sliced = (text: string, portion?: number, maxDepth = 100): unknown =>
  runToCompletion(
    parseJsonInSlices(Buffer.from(text), {
      maxDepth,
      ...(portion === undefined ? {} : { chunkBytes: portion }),
    }),
  );

/** The parsed value, or a marker for a syntax error. */
const outcome = (parse: () => unknown): unknown => {
  try {
    return { value: parse() };
  } catch (error) {
    return { error: error instanceof SyntaxError };
  }
};

/** Serializes a value, with every other string longer than what the parser reads character by character. */
const withLongStrings = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'string' && inner.length % 2 === 1 ? `${inner}${'é'.repeat(30)}"\\${inner}` : inner,
  );

const mistake = fc.record({
  at: fc.nat(),
  remove: fc.nat(2),
  insert: fc.constantFrom('', '{', '}', '[', ']', ',', ':', '"', '\\', ' ', '\u00a0', '1', 'u', 'null'),
});

describe('parseJsonInSlices', () => {
  test('returns the value of JSON.parse for every chunk size, and fails where JSON.parse fails', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 6, noUnicodeString: false }).map(withLongStrings),
        fc.array(mistake, { maxLength: 2 }),
        fc.integer({ min: 1, max: 80 }),
        (json, mistakes, portion) => {
          let text = json;
          for (const { at, remove, insert } of mistakes) {
            const place = at % (text.length + 1);
            text = text.slice(0, place) + insert + text.slice(place + remove);
          }
          text = Buffer.from(text).toString();
          expect(outcome(() => sliced(text, portion))).toEqual(outcome(() => JSON.parse(text)));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test.each([
    '',
    ' ',
    '[1,]',
    '[,1]',
    '{"a":1,}',
    '{,}',
    '[1 2]',
    '[[1] [2]]',
    '{"a":[1] 2}',
    '[[1],[2],]',
    '1,2',
    '[1]]',
    '{"a":[}',
    '"\\ud83d\\ude00 ends in the middle',
    '["tab\tinside"]',
    '{"a" 1}',
    '{"a":1[]}',
    '{"a":"long enough" "b":"long enough"}',
    '{"a":1"long enough"}',
    '{["a"]:1}',
    '[\u00a0[1]]',
    '\ufeff["long enough"]',
  ])('throws for %s, as JSON.parse does', (text) => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    for (let portion = 1; portion < 12; portion++) expect(() => sliced(text, portion)).toThrow(SyntaxError);
  });

  test('keeps the order of keys, uses the last of duplicate keys, and treats `__proto__` as a normal key', () => {
    const text = '{"b":[1,2,3,4],"a":{"x":[1,2,3]},"b":"long enough","__proto__":{"y":[1,2,3,4,5,6]}}';
    for (let portion = 1; portion < 12; portion++) {
      const value = sliced(text, portion) as object;
      expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(text)));
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    }
  });

  test('assembles long strings from pieces that never split characters or escape sequences', () => {
    const text = JSON.stringify({ key: ['ü😀"\\\n\u0001 '.repeat(50)], more: '\\"'.repeat(99) });
    const escaped = text.replaceAll('😀', '\\ud83d\\ude00');
    for (let portion = 1; portion < 40; portion++) {
      expect(sliced(text, portion)).toEqual(JSON.parse(text));
      expect(sliced(escaped, portion)).toEqual(JSON.parse(text));
    }
  });

  test('throws for JSON that is nested deeper than maxDepth, and accepts JSON at maxDepth', () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}1${']'.repeat(depth)}`;
    for (const portion of [1, 3, 1000]) {
      expect(sliced(nested(20), portion, 20)).toEqual(JSON.parse(nested(20)));
      expect(() => sliced(nested(21), portion, 20)).toThrow('nested deeper than 20 levels');
    }
  });

  test('yields after each chunk of a list, an object, a string and whitespace', () => {
    const pauses = (text: string): number => {
      const work = parseJsonInSlices(Buffer.from(text), { maxDepth: 9, chunkBytes: 100 });
      let count = 0;
      while (work.next().done !== true) count++;
      return count;
    };
    expect(pauses('[1]')).toBe(0);
    expect(pauses(JSON.stringify(new Array(1000).fill(1)))).toBeGreaterThanOrEqual(10);
    expect(
      pauses(JSON.stringify(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, i])))),
    ).toBeGreaterThanOrEqual(10);
    expect(pauses(JSON.stringify('x'.repeat(2000)))).toBeGreaterThanOrEqual(10);
    expect(pauses(`[${' '.repeat(2000)}]`)).toBeGreaterThanOrEqual(10);
  });
});
