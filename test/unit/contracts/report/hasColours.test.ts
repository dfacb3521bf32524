import { PassThrough } from 'node:stream';
import { WriteStream } from 'node:tty';
import { expect, test } from '@jest/globals';
import { hasColours } from '../../../../gateway/contracts/report/hasColours.ts';

/** A terminal, as far as it is asked. */
function terminal(colours: boolean): WriteStream {
  return Object.create(WriteStream.prototype, { hasColors: { value: () => colours } });
}

test('only a terminal that knows colours gets them', () => {
  expect(hasColours(terminal(true))).toBe(true);
  expect(hasColours(terminal(false))).toBe(false);
  expect(hasColours(new PassThrough())).toBe(false);
});
