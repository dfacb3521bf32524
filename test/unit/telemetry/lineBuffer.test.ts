import { expect, test } from '@jest/globals';
import { LineBuffer } from '../../../gateway/telemetry/lineBuffer.ts';

test('numbers and texts of every form are written as JSON', () => {
  const numbers = [0, 0.1, 9.9, 10, 99.5, 100, 999_999.9, 1_000_000, 1_000_000.1, 20_000_000.5];
  const others = [2 ** 31, 2 ** 47 / 10, 1_795_821_694_021, 2 ** 53 - 1, 0.25, -0.1, -7, 1e21, 1e-7];
  const texts = ['', 'a', ' ~', '"', '\\', '\n', '\u007f', 'é', '€', '🙂', '\ud800', 'x'.repeat(5_000)];
  const lines = new LineBuffer();
  for (const value of [...numbers, ...others]) {
    lines.number(value);
    lines.text('\n');
  }
  for (const text of texts) {
    lines.quoted(text);
    lines.ascii('\n');
  }
  const expected = [...numbers, ...others, ...texts].map((value) => `${JSON.stringify(value)}\n`).join('');
  expect(lines.length).toBe(Buffer.byteLength(expected));
  expect(lines.take().toString()).toBe(expected);
  expect(lines.take().toString()).toBe('');
});

test('lines that were taken do not change when more lines are added', () => {
  const lines = new LineBuffer();
  lines.text('first');
  const taken = lines.take();
  lines.text('second');
  expect([taken.toString(), lines.take().toString()]).toEqual(['first', 'second']);
});
