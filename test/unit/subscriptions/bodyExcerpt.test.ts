import { expect, test } from '@jest/globals';
import { BodyExcerpt } from '../../../gateway/subscriptions/bodyExcerpt.ts';

/** 1,024 bytes. */
const [first, last] = ['a'.repeat(1_024), 'z'.repeat(1_024)];

test.each([1, 7, 1_000, 1_024, 100_000])(
  'the excerpt of a body is its beginning and its end, in chunks of %i bytes',
  (size) => {
    const excerpt = new BodyExcerpt();
    const body = Buffer.from(`${first}${'-'.repeat(50_000)}${last}`);
    for (let at = 0; at < body.length; at += size) excerpt.add(body.subarray(at, at + size));
    expect(excerpt.text).toBe(`${first}\n${last}`);
  },
);

test('the parts of the excerpt of a short body overlap', () => {
  const excerpt = new BodyExcerpt();
  excerpt.add(Buffer.from('{}'));
  expect(excerpt.text).toBe('{}\n{}');
});
