/** Where generated writers put an answer's bytes: one buffer for the whole process, which grows and is written
 *  again from the start for every answer. Writing is synchronous, and what is written is copied out at its end.
 *
 *  Bytes and not a string: a long string is built of as many small ones as it has parts, and these parts were
 *  half of what a large answer left to the garbage collector. */
export class ByteSink {
  /** Changes whenever there was not enough room: read it again after every call that may have written. */
  bytes: Buffer = Buffer.allocUnsafeSlow(initialSinkBytes);

  /** Makes room for `size` more bytes after `position`. Throws `sinkFullError` where that would be more than is
   *  written in one go. */
  reserve(position: number, size: number): void {
    if (this.bytes.length - position >= size) return;
    if (position + size > maxSinkBytes) throw sinkFullError;
    const grown = Buffer.allocUnsafeSlow(
      Math.min(maxSinkBytes, Math.max(this.bytes.length * 2, position + size)),
    );
    this.bytes.copy(grown, 0, 0, position);
    this.bytes = grown;
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
    const { bytes } = this;
    let end = position;
    bytes[end++] = quote;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80 || code < 0x20 || code === quote || code === backslash) {
        return isEscapeFree ? this.#plain(value, position) : this.#escaped(value, position);
      }
      bytes[end++] = code;
    }
    bytes[end] = quote;
    return end + 1;
  }

  /** Writes text that is JSON already. */
  json(text: string, position: number): number {
    this.reserve(position, text.length * 3);
    return position + this.bytes.write(text, position, 'utf8');
  }

  integer(value: number, position: number): number {
    this.reserve(position, maxIntegerBytes);
    if (value < 0 || value > 99_999) return this.json(String(value), position);
    const { bytes } = this;
    const digits = value < 10 ? 1 : value < 100 ? 2 : value < 1_000 ? 3 : value < 10_000 ? 4 : 5;
    let left = value;
    for (let at = position + digits - 1; at >= position; at--) {
      const next = (left / 10) | 0;
      bytes[at] = 0x30 + left - next * 10;
      left = next;
    }
    return position + digits;
  }

  /** A copy of what has been written up to `position`. */
  take(position: number): Buffer {
    const taken = Buffer.allocUnsafeSlow(position);
    this.bytes.copy(taken, 0, 0, position);
    return taken;
  }

  #plain(value: string, position: number): number {
    const { bytes } = this;
    bytes[position] = quote;
    const end = position + 1 + bytes.write(value, position + 1, 'utf8');
    bytes[end] = quote;
    return end + 1;
  }

  /** JSON.stringify also escapes lone surrogates, which UTF-8 has no form for. */
  #escaped(value: string, position: number): number {
    return this.json(JSON.stringify(value), position);
  }
}

const initialSinkBytes = 256 * 1024;
/** What is larger is written in parts. To fill this takes some milliseconds. */
const maxSinkBytes = 2 * 1024 * 1024;

/** Thrown once made, as it happens for every large answer. */
export const sinkFullError = new Error('The answer is too large to be written in one go.');

/** From this length on a call out of JavaScript is cheaper than a loop over the characters. */
const longStringLength = 48;
const maxIntegerBytes = 24;

const quote = 0x22;
const backslash = 0x5c;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what JSON has to escape
const mustBeEscaped = /[\u0000-\u001f"\\\ud800-\udfff]/;
