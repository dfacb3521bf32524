import type { SharedObjects } from '../execution/internedTargets.ts';
import type { ResponseObject } from '../execution/responseTree.ts';
import { viewOf, writeQuotedAscii } from '../json/asciiBytes.ts';

/** Writes an object at a position of the sink and returns the position after it.
 *  @throws {Error} `writerBailout` or `sinkFullError`. */
export type ObjectWriter = (object: ResponseObject, position: number, isEscapeFree: boolean) => number;

/** The buffer that generated writers write responses into: one for the whole process, which grows and is overwritten
 *  for every response. Writing is synchronous; the finished bytes are copied out.
 *
 *  It holds bytes because a long string is built from as many small strings as it has parts, and these were half of the
 *  garbage of a large response. */
export class ByteSink {
  /** Replaced when it grows: read the properties again after every call that may have written. */
  bytes: Buffer = Buffer.allocUnsafeSlow(initialSinkBytes);
  /** Of the same memory. */
  view = viewOf(this.bytes);

  /** Objects that the current response may contain several times; `undefined` for none. */
  shared: SharedObjects | undefined;
  /** The number of the current response. */
  #writing = 0;

  /** Begins or ends a response. Positions of the one before are no longer used. */
  begin(shared: SharedObjects | undefined): void {
    this.shared = shared !== undefined && shared.size > 0 ? shared : undefined;
    this.#writing += 1;
  }

  /** Writes an object with `write`, or copies the bytes that it has written for the object before. Only used if there are
   *  `shared` objects. */
  object(write: ObjectWriter, object: ResponseObject, position: number, isEscapeFree: boolean): number {
    const known = (this.shared as SharedObjects).get(object);
    if (known === undefined) return write(object, position, isEscapeFree);
    if (known !== null && known.writer === write && known.writing === this.#writing) {
      const size = known.end - known.start;
      this.reserve(position, size);
      this.bytes.copyWithin(position, known.start, known.end);
      return position + size;
    }
    const end = write(object, position, isEscapeFree);
    this.shared?.set(object, { writer: write, writing: this.#writing, start: position, end });
    return end;
  }

  /** Makes room for `size` more bytes after `position`.
   *  @throws {Error} `sinkFullError` beyond the largest response that is written at once. */
  reserve(position: number, size: number): void {
    if (this.bytes.length - position >= size) return;
    if (position + size > maxSinkBytes) throw sinkFullError;
    const grown = Buffer.allocUnsafeSlow(
      Math.min(maxSinkBytes, Math.max(this.bytes.length * 2, position + size)),
    );
    this.bytes.copy(grown, 0, 0, position);
    this.bytes = grown;
    this.view = viewOf(grown);
  }

  /** Writes a JSON string and returns the position after it. `isEscapeFree`: the value is known to need no
   *  escape sequence. */
  string(value: string, position: number, isEscapeFree: boolean): number {
    const { length } = value;
    // A character is three bytes of UTF-8 at most, or six as an escape sequence.
    this.reserve(position, length * 6 + 2);
    if (length > longStringLength) {
      const isPlain = isEscapeFree || !mustBeEscaped.test(value);
      return isPlain ? this.#plain(value, position) : this.#escaped(value, position);
    }
    const end = writeQuotedAscii(this.bytes, position, value);
    if (end !== -1) return end;
    return isEscapeFree ? this.#plain(value, position) : this.#escaped(value, position);
  }

  /** Writes JSON text. */
  json(text: string, position: number): number {
    this.reserve(position, text.length * 3);
    return position + this.bytes.write(text, position, 'utf8');
  }

  integer(value: number, position: number): number {
    this.reserve(position, maxIntegerBytes);
    if (value < 0 || value > 99_999) return this.json(String(value), position);
    const { bytes } = this;
    const digits = value < 10 ? 1 : value < 100 ? 2 : value < 1_000 ? 3 : value < 10_000 ? 4 : 5;
    let remaining = value;
    for (let at = position + digits - 1; at >= position; at--) {
      const next = (remaining / 10) | 0;
      bytes[at] = 0x30 + remaining - next * 10;
      remaining = next;
    }
    return position + digits;
  }

  /** Copies the bytes up to `position`. */
  take(position: number): Buffer {
    const copy = Buffer.allocUnsafe(position);
    this.bytes.copy(copy, 0, 0, position);
    return copy;
  }

  /** Returns the bytes up to `position` as text. */
  text(position: number): string {
    return this.bytes.toString('utf8', 0, position);
  }

  #plain(value: string, position: number): number {
    const { bytes } = this;
    bytes[position] = quote;
    const end = position + 1 + bytes.write(value, position + 1, 'utf8');
    bytes[end] = quote;
    return end + 1;
  }

  /** JSON.stringify also escapes lone surrogates, which UTF-8 cannot encode. */
  #escaped(value: string, position: number): number {
    return this.json(JSON.stringify(value), position);
  }
}

const initialSinkBytes = 256 * 1024;
/** Larger responses are written in chunks. Filling the buffer takes some milliseconds. */
const maxSinkBytes = 2 * 1024 * 1024;

/** Created once, because it is thrown for every large response. */
export const sinkFullError = new Error('The response is too large to be written at once.');

/** From this length on, a native call is cheaper than a loop over the characters. */
const longStringLength = 48;
const maxIntegerBytes = 24;

const quote = 0x22;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON has to escape
const mustBeEscaped = /[\u0000-\u001f"\\\ud800-\udfff]/;
