import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { TextKey, TextMap } from '../../../gateway/sharing/textMap.ts';

/** Texts whose hashes are equal: they differ in the middle only. */
const textWith = (middle: string): string => `${'a'.repeat(512)}${middle}${'b'.repeat(512)}`;

const middles = ['1', '2'];
const keyOf = (scope: string, text: string) => new TextKey(textWith(scope), textWith(text));

test('keys with equal hashes are different if their scope or their text is', () => {
  const keys = middles.flatMap((scope) => middles.map((text) => keyOf(scope, text)));
  expect(new Set(keys.map(({ hash }) => hash)).size).toBe(1);
  expect(keys.map((key) => keys.map((other) => key.equals(other)))).toEqual(
    keys.map((_, index) => keys.map((_, otherIndex) => index === otherIndex)),
  );
});

test('for any sequence of changes, a map of keys with equal hashes has the entries of an ordinary map', () => {
  const change = fc.record({
    scope: fc.constantFrom(...middles),
    text: fc.constantFrom(...middles),
    value: fc.option(fc.nat(9), { nil: undefined }),
  });
  const run = fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
    const map = new TextMap<number>();
    const model = new Map<string, number>();
    for (const { scope, text, value } of changes) {
      if (value === undefined) {
        map.delete(keyOf(scope, text));
        model.delete(`${scope} ${text}`);
      } else {
        map.set(keyOf(scope, text), value);
        model.set(`${scope} ${text}`, value);
      }
    }
    for (const scope of middles)
      for (const text of middles) expect(map.get(keyOf(scope, text))).toBe(model.get(`${scope} ${text}`));
  });
  fc.assert(run);
});
