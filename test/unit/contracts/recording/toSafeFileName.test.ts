import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toSafeFileName } from '../../../../gateway/contracts/recording/toSafeFileName.ts';
import { codePoint } from '../../../harness/codePoint.ts';

describe('toSafeFileName', () => {
  test.each(['storefront', 'apollo-ios', 'web_2.1', 'a'])(
    'is the name itself where that is one: %s',
    (name) => {
      expect(toSafeFileName(name)).toBe(name);
    },
  );

  test.each([
    ['', /^_-[0-9a-f]{8}$/],
    ['..', /^_-[0-9a-f]{8}$/],
    ['../../etc/passwd', /^__\.\._etc_passwd-[0-9a-f]{8}$|^_[\w.]*-[0-9a-f]{8}$/],
    ['.hidden', /^_hidden-[0-9a-f]{8}$/],
    ['/absolute', /^_absolute-[0-9a-f]{8}$/],
    ['C:\\x', /^C_x-[0-9a-f]{8}$/],
    ['NUL', /^_NUL-[0-9a-f]{8}$/],
    ['con.txt', /^_con\.txt-[0-9a-f]{8}$/],
    ['ends.', /^ends_-[0-9a-f]{8}$/],
    ['Läden\n', /^L_den_-[0-9a-f]{8}$/],
    ['x'.repeat(65), /^x{55}-[0-9a-f]{8}$/],
  ])('turns any text into a safe file name: %j', (text, expected) => {
    expect(toSafeFileName(text)).toMatch(expected);
  });

  test('returns names that every file system accepts, and different names for different texts', () => {
    const text = fc.oneof(
      fc.string({ unit: codePoint, maxLength: 100 }),
      fc
        .array(fc.constantFrom('.', '/', '\\', '..', ' ', 'con', 'COM1', ':', '\0', 'a'), { maxLength: 8 })
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, text, (one, other) => {
        const name = toSafeFileName(one);
        expect(name).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/);
        expect(name).not.toMatch(/\.$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i);
        if (one.toWellFormed() !== other.toWellFormed()) expect(toSafeFileName(other)).not.toBe(name);
      }),
      { numRuns: 2_000 },
    );
  });
});
