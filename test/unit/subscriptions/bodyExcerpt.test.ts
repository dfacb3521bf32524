import { expect, test } from '@jest/globals';
import { BodyExcerpt } from '../../../gateway/subscriptions/bodyExcerpt.ts';

const first = '"verifier":"first"';
const last = '"verifier" : "last"';
const kilobyte = 1_024;

test.each([1, 7, 1_000, 1_024, 100_000])(
  'the verifiers of a body are those in its first and its last kilobyte, in chunks of %i bytes',
  (size) => {
    const excerpt = new BodyExcerpt();
    const beginning = first.padStart(kilobyte, 'a');
    const end = last.padEnd(kilobyte, 'z');
    const body = Buffer.from(
      `${beginning}${'-'.repeat(50_000)}"verifier":"middle"${'-'.repeat(9_000)}${end}`,
    );
    for (let at = 0; at < body.length; at += size) excerpt.add(body.subarray(at, at + size));
    expect(excerpt.verifiers).toEqual(['first', 'last']);
  },
);

test('a verifier that the parts of the excerpt divide is not found', () => {
  const excerpt = new BodyExcerpt();
  excerpt.add(
    Buffer.from(`${first.padStart(kilobyte + 1, 'a')}${'-'.repeat(50_000)}${last.padEnd(kilobyte + 1, 'z')}`),
  );
  expect(excerpt.verifiers).toEqual([]);
});

test('the verifier of a short body is found in both parts', () => {
  const excerpt = new BodyExcerpt();
  excerpt.add(Buffer.from(`{${first}}`));
  expect(excerpt.verifiers).toEqual(['first', 'first']);
});
