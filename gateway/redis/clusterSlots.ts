const slots = 16_384;

/** The names of `count` hash tags that spread evenly over the slots of a Cluster: divides the slots into `count` equal
 *  ranges, and finds the first base-36 number in each. */
export function slotNames(count: number): string[] {
  const names = new Array<string>(count);
  for (let candidate = 0, found = 0; found < count; candidate++) {
    const name = candidate.toString(36);
    const range = Math.floor((slotOf(name) * count) / slots);
    if (names[range] !== undefined) continue;
    names[range] = name;
    found += 1;
  }
  return names;
}

/** The Cluster slot of a hash tag: CRC-16/XMODEM modulo the number of slots (Redis Cluster specification). */
export function slotOf(name: string): number {
  let crc = 0;
  for (const byte of Buffer.from(name)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    crc &= 0xffff;
  }
  return crc % slots;
}
