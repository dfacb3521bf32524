import type { Writable } from 'node:stream';
import { WriteStream } from 'node:tty';

/** Whether text written there may be coloured: a terminal that knows colours, and `NO_COLOR` is not set. */
export function supportsColor(stream: Writable): boolean {
  return stream instanceof WriteStream && stream.hasColors();
}
