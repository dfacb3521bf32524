import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ParsedValue } from '../../../../gateway/cache/store/parsedValue.ts';

/** The objects and arrays of a value, at any depth. */
function containersOf(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value, ...Object.values(value).flatMap(containersOf)];
}

test('every copy equals the parsed text and shares no object with another copy', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const text = JSON.stringify(value);
      const parsed = ParsedValue.parse(text);
      if (parsed === undefined) {
        expect(text).toContain('"__proto__"');
        return;
      }
      const [one, other] = [parsed.copy(), parsed.copy()];
      expect(JSON.stringify(one)).toBe(text);
      const containers = new Set(containersOf(one));
      expect(containersOf(other).some((container) => containers.has(container))).toBe(false);
      expect(parsed.isEscapeFree).toBe(!text.includes('\\'));
    }),
  );
});

test('numbers that JavaScript would round are copied exactly, and count for the size', () => {
  const text = '{"a":12345678901234567890,"b":[12345678901234567891]}';
  const parsed = ParsedValue.parse(text);
  expect(JSON.stringify(parsed?.copy())).toBe(text);
  expect(parsed?.size).toBeGreaterThan(ParsedValue.parse('{"a":1,"b":[1]}')?.size ?? 0);
});

test('a change to a copy does not change the next one', () => {
  const parsed = ParsedValue.parse('{"name":"Table","price":{"amount":1},"images":[{"url":"a"}]}');
  const copy = parsed?.copy() as { price: { amount: number }; images: { url: string }[]; stock?: number };
  copy.price.amount = 2;
  copy.stock = 3;
  copy.images.push({ url: 'b' });
  (copy.images[0] as { url: string }).url = 'c';
  expect(parsed?.copy()).toEqual({ name: 'Table', price: { amount: 1 }, images: [{ url: 'a' }] });
});

test.each([
  ['has the key __proto__ at any depth', '{"a":[{"__proto__":{"b":1}}]}'],
  ['is nested too deeply', `${'['.repeat(100)}${']'.repeat(100)}`],
  [
    'is nested so deeply that recursion would overflow the stack',
    `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
  ],
  ['is longer than 64 Ki characters', JSON.stringify('x'.repeat(64 * 1024))],
  ['is damaged', '{"a":'],
])('a text that %s is not stored parsed', (_, text) => {
  expect(ParsedValue.parse(text)).toBeUndefined();
});

test('the size grows with objects, fields and characters', () => {
  const sizeOf = (value: unknown): number => ParsedValue.parse(JSON.stringify(value))?.size ?? 0;
  const plain = sizeOf({ name: 'x' });
  expect(sizeOf({ name: 'x'.repeat(101) })).toBe(plain + 100);
  expect(sizeOf({ name: '漢'.repeat(101) })).toBe(plain + 201);
  expect(sizeOf({ name: 'x', more: 1 })).toBeGreaterThan(plain);
  expect(sizeOf({ name: 'x', more: {} })).toBeGreaterThan(sizeOf({ name: 'x', more: 1 }) + 100);
});
