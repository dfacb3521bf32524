import fc from 'fast-check';

/** Any character but lone surrogates, for `fc.string({ unit })`. The unit `'binary'` is the same, but first takes two seconds
 *  of CPU time to fill a map with all of them. */
export const codePoint = fc
  .nat(0x10ffff)
  .map(
    (code) => String.fromCodePoint(code),
    (text) => {
      const code = String(text).codePointAt(0);
      if (code === undefined || text !== String.fromCodePoint(code)) throw new Error('No code point.');
      return code;
    },
  )
  .filter((text) => text.isWellFormed());
