/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  }
  // Neighbouring texts differ in the low bits only, and callers take remainders.
  return Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
}
