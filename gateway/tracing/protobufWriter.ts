import { viewOf, writeAscii } from '../json/asciiBytes.ts';

/** Writes protobuf messages into one buffer, which grows and is used again. The length of a message precedes it and is known
 *  only at its end: `begin` leaves room for it, and `end` moves a message that needs more. Writes are not checked: `reserve`
 *  first. */
export class ProtobufWriter {
  #bytes: Buffer;
  #view: DataView;
  #at = 0;

  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
    this.#view = viewOf(this.#bytes);
  }

  /** Where the next byte is written. */
  get position(): number {
    return this.#at;
  }

  /** Continues at another position. */
  moveTo(position: number): void {
    this.#at = position;
  }

  /** The bytes between two positions, until something is written there. */
  slice(from: number, to: number): Buffer {
    return this.#bytes.subarray(from, to);
  }

  /** Makes room for so many bytes. */
  reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  /** `value`: an integer from 0 to 2^53. */
  varint(value: number): void {
    let rest = value;
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 128)) this.#bytes[this.#at++] = (rest % 128) | 128;
    for (; rest > 127; rest >>>= 7) this.#bytes[this.#at++] = (rest & 127) | 128;
    this.#bytes[this.#at++] = rest;
  }

  /** A number of four bytes, the lowest one first. */
  fixed32(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  /** Four bytes, the highest one first. */
  word(value: number): void {
    this.#view.setInt32(this.#at, value);
    this.#at += 4;
  }

  double(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  zeros(count: number): void {
    this.#bytes.fill(0, this.#at, this.#at + count);
    this.#at += count;
  }

  raw(source: Uint8Array): void {
    const { length } = source;
    const bytes = this.#bytes;
    const at = this.#at;
    // A loop takes less time than a call of native code, for so few bytes.
    if (length > 64) bytes.set(source, at);
    else for (let index = 0; index < length; index++) bytes[at + index] = source[index] as number;
    this.#at = at + length;
  }

  /** Begins a message whose length usually takes so many bytes. Returns what `end` needs. */
  begin(lengthBytes: number): number {
    this.#at += lengthBytes;
    return this.#at;
  }

  end(start: number, lengthBytes: number): void {
    const length = this.#at - start;
    const needed = varintSize(length);
    if (needed !== lengthBytes) {
      this.reserve(needed);
      this.#bytes.copyWithin(start - lengthBytes + needed, start, this.#at);
    }
    this.#at = start - lengthBytes;
    this.varint(length);
    this.#at += length;
  }

  /** A text after its length, in UTF-8. Reserves its room. */
  text(text: string): void {
    const { length } = text;
    this.reserve(3 * length + maxVarintBytes);
    if (length > 127 || !this.shortAscii(text)) {
      const size = Buffer.byteLength(text);
      this.varint(size);
      this.#at += this.#bytes.write(text, this.#at, size);
    }
  }

  /** The same for a text of at most 127 characters, without reserving its room. Returns false, and has written nothing, for
   *  one with other characters than those of ASCII. */
  shortAscii(text: string): boolean {
    const end = writeAscii(this.#bytes, this.#at + 1, text);
    if (end === -1) return false;
    this.#bytes[this.#at] = text.length;
    this.#at = end;
    return true;
  }
}

const maxVarintBytes = 10;

/** How many bytes `varint` writes. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size += 1;
  return size;
}
