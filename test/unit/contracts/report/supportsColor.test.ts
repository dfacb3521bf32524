import { PassThrough } from 'node:stream';
import { WriteStream } from 'node:tty';
import { expect, test } from '@jest/globals';
import { supportsColor } from '../../../../contracts/report/supportsColor.ts';

/** A terminal, as far as it is asked. */
function terminal(colours: boolean): WriteStream {
  return Object.create(WriteStream.prototype, { hasColors: { value: () => colours } });
}

test('only a terminal that knows colours gets them', () => {
  expect(supportsColor(terminal(true))).toBe(true);
  expect(supportsColor(terminal(false))).toBe(false);
  expect(supportsColor(new PassThrough())).toBe(false);
});
