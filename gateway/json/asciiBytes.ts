/** Looked up once: V8 has several classes of strings, and would look the method up for each character. */
const { charCodeAt } = String.prototype;

/** Writes a text at a position and returns the position after it; -1 for a text with other characters than those of ASCII.
 *  For short texts, a loop takes less time than a call of native code. */
export function writeAscii(bytes: Uint8Array, position: number, text: string): number {
  const { length } = text;
  for (let index = 0; index < length; index++) {
    const code = charCodeAt.call(text, index);
    if (code > maxAscii) return -1;
    bytes[position + index] = code;
  }
  return position + length;
}

/** The same for a text as JSON, between quotation marks; -1 also for a text with escape sequences. */
export function writeQuotedAscii(bytes: Uint8Array, position: number, text: string): number {
  const { length } = text;
  let end = position;
  bytes[end++] = quote;
  for (let index = 0; index < length; index++) {
    const code = charCodeAt.call(text, index);
    if (code > maxAscii || code < space || code === quote || code === backslash) return -1;
    bytes[end++] = code;
  }
  bytes[end] = quote;
  return end + 1;
}

export function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}

const [space, quote, backslash, maxAscii] = [0x20, 0x22, 0x5c, 0x7f] as const;
