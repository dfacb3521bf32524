import { crc32 } from 'node:zlib';
import type { CacheEntry } from './cacheStore.ts';

export interface StoredEntry extends CacheEntry {
  /** `ReadVersion.shared` of its read. */
  readonly readVersion: number;
}

/** Raise it when the layout of entries, their values or the meaning of these changes. It is a part of each key: an entry of
 *  another version is not found. */
export const entryFormatVersion = 1;

// Layout, by offset in bytes:
//  0  magic bytes `TC`, format version, 0
//  4  five big-endian doubles: readVersion, storedAt, freshUntil, staleWhileRevalidateUntil, staleIfErrorUntil
// 44  CRC-32 of the key, of bytes 0 to 43, and of everything from 48 on
// 48  size of the tags in bytes
// 52  tags, separated by NUL, followed by the value
// The script `writeEntries` reads the first 20 bytes (`redisScripts.ts`).
const numbersOffset = 4;
const checksumOffset = 44;
const tagsSizeOffset = 48;
const textOffset = 52;
const tagSeparator = '\0';

/** Encodes an entry as it is stored in Redis. */
export function encodeEntry(key: string, entry: StoredEntry): Buffer {
  const tags = entry.tags.join(tagSeparator);
  const tagsSize = Buffer.byteLength(tags);
  const bytes = Buffer.allocUnsafe(textOffset + tagsSize + Buffer.byteLength(entry.value));
  bytes.set([0x54, 0x43, entryFormatVersion, 0]);
  bytes.writeDoubleBE(entry.readVersion, numbersOffset);
  bytes.writeDoubleBE(entry.storedAt, numbersOffset + 8);
  bytes.writeDoubleBE(entry.freshUntil, numbersOffset + 16);
  bytes.writeDoubleBE(entry.staleWhileRevalidateUntil, numbersOffset + 24);
  bytes.writeDoubleBE(entry.staleIfErrorUntil, numbersOffset + 32);
  bytes.writeUInt32BE(tagsSize, tagsSizeOffset);
  bytes.write(tags, textOffset);
  bytes.write(entry.value, textOffset + tagsSize);
  bytes.writeUInt32BE(checksumOf(key, bytes), checksumOffset);
  return bytes;
}

/** `undefined` for bytes that are damaged or were written under another key. */
export function decodeEntry(key: string, bytes: Buffer): StoredEntry | undefined {
  if (
    bytes.length < textOffset ||
    bytes[0] !== 0x54 ||
    bytes[1] !== 0x43 ||
    bytes[2] !== entryFormatVersion
  ) {
    return undefined;
  }
  if (bytes.readUInt32BE(checksumOffset) !== checksumOf(key, bytes)) return undefined;
  const valueOffset = textOffset + bytes.readUInt32BE(tagsSizeOffset);
  const tags = bytes.toString('utf8', textOffset, valueOffset);
  return {
    value: bytes.toString('utf8', valueOffset),
    readVersion: bytes.readDoubleBE(numbersOffset),
    storedAt: bytes.readDoubleBE(numbersOffset + 8),
    freshUntil: bytes.readDoubleBE(numbersOffset + 16),
    staleWhileRevalidateUntil: bytes.readDoubleBE(numbersOffset + 24),
    staleIfErrorUntil: bytes.readDoubleBE(numbersOffset + 32),
    tags: valueOffset === textOffset ? [] : tags.split(tagSeparator),
  };
}

// Includes the key, so that an entry under a wrong key is never shown to the wrong client.
function checksumOf(key: string, bytes: Buffer): number {
  return crc32(bytes.subarray(tagsSizeOffset), crc32(bytes.subarray(0, checksumOffset), crc32(key)));
}
