import { randomFillSync } from 'node:crypto';

const words = new Int32Array(4_096);
let next = words.length;

/** A random part of an id. A call of the random generator takes as long as many ids. */
export function randomIdWord(): number {
  if (next === words.length) {
    randomFillSync(words);
    next = 0;
  }
  return words[next++] as number;
}

const uuid = Buffer.from('00000000-0000-4000-8000-000000000000');

/** A random UUID (RFC 9562, version 4). The text is made in one piece: that of `crypto.randomUUID` is a tree of pieces, which
 *  its readers have to join. */
export function randomUuid(): string {
  writeHex(uuid, 0, 8, randomIdWord());
  const middle = randomIdWord();
  writeHex(uuid, 9, 4, middle);
  writeHex(uuid, 15, 3, middle >>> 16);
  const variant = randomIdWord();
  writeHex(uuid, 19, 1, 8 | (variant & 3));
  writeHex(uuid, 20, 3, variant >>> 2);
  writeHex(uuid, 24, 4, variant >>> 14);
  writeHex(uuid, 28, 8, randomIdWord());
  return uuid.toString('latin1');
}

/** Writes the lowest digits of a word in hexadecimal. */
export function writeHex(bytes: Buffer, position: number, digits: number, word: number): void {
  let rest = word;
  for (let at = position + digits - 1; at >= position; at--) {
    bytes[at] = hexDigits[rest & 15] as number;
    rest >>>= 4;
  }
}

const hexDigits = Buffer.from('0123456789abcdef');
