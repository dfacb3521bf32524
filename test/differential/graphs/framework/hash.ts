/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  }
  // Similar texts differ only in the low bits, and callers use remainders.
  return Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
}
