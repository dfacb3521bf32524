import { writeAscii, writeQuotedAscii } from '../json/asciiBytes.ts';

/** Lines of JSON as bytes, until they are taken. A line as a text is a tree of its pieces, which takes several times as long to
 *  write once it has left the processor's cache. */
export class LineBuffer {
  #bytes = Buffer.allocUnsafeSlow(initialBytes);
  #at = 0;

  /** In bytes. */
  get length(): number {
    return this.#at;
  }

  /** Returns the lines in UTF-8, and is empty afterwards. */
  take(): Buffer {
    const lines = Buffer.from(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    return lines;
  }

  /** Any text, as it is. */
  text(text: string): void {
    this.#reserve(3 * text.length);
    this.#at += this.#bytes.write(text, this.#at);
  }

  /** A text in ASCII, as it is. */
  ascii(text: string): void {
    this.#reserve(text.length);
    this.#at = writeAscii(this.#bytes, this.#at, text);
  }

  /** A text as JSON. */
  quoted(text: string): void {
    this.#reserve(text.length + 2);
    const end = writeQuotedAscii(this.#bytes, this.#at, text);
    if (end === -1) this.text(JSON.stringify(text));
    else this.#at = end;
  }

  /** A number as JSON. Those with at most one decimal place are fast: integers, and milliseconds of `roundMs`. */
  number(value: number): void {
    const tenths = Math.round(value * 10);
    if (!(tenths >= 0 && tenths <= maxTenths && tenths / 10 === value)) {
      this.ascii(String(value));
      return;
    }
    this.#reserve(maxDigits + 2);
    const whole = Math.floor(tenths / 10);
    const millions = Math.floor(whole / 1_000_000);
    if (millions === 0) this.#digits(whole, digitsOf(whole));
    else {
      this.#digits(millions, digitsOf(millions));
      this.#digits(whole - millions * 1_000_000, 6);
    }
    const decimal = tenths - whole * 10;
    if (decimal === 0) return;
    this.#bytes[this.#at++] = point;
    this.#bytes[this.#at++] = zero + decimal;
  }

  /** `value`: an integer below 2^31. */
  #digits(value: number, count: number): void {
    const bytes = this.#bytes;
    let at = this.#at + count;
    this.#at = at;
    let rest = value | 0;
    for (let digit = 0; digit < count; digit++) {
      const tens = (rest / 10) | 0;
      bytes[--at] = zero + rest - tens * 10;
      rest = tens;
    }
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

const initialBytes = 1024;
/** So that millions are below 2^31. Times since 1970 are smaller. */
const maxTenths = 2 ** 47;
const maxDigits = 16;

const [point, zero] = [0x2e, 0x30] as const;

function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; bound <= value; bound *= 10) digits += 1;
  return digits;
}
