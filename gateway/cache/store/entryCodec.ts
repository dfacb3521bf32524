import { crc32 } from 'node:zlib';
import type { CacheEntry } from './cacheStore.ts';

export interface StoredEntry extends CacheEntry {
  /** Invalidations that were known when its read began. */
  readonly readVersion: number;
}

// 0  T C, number of this format, 0         44  checksum of the key and of all from 48 on, and of the five numbers
// 4  five doubles, big-endian:             48  bytes of the tags
//    readAt, storedAt, the three times     52  the tags with NUL in between, then the value
// The script that writes reads the first twenty bytes (`redisScripts.ts`).
const formatVersion = 1;
const numbersOffset = 4;
const checksumOffset = 44;
const tagsSizeOffset = 48;
const textOffset = 52;
const tagSeparator = '\0';

/** An entry as Redis keeps it under a key. */
export function encodeEntry(key: string, entry: StoredEntry): Buffer {
  const tags = entry.tags.join(tagSeparator);
  const tagsSize = Buffer.byteLength(tags);
  const bytes = Buffer.allocUnsafe(textOffset + tagsSize + Buffer.byteLength(entry.value));
  bytes.set([0x54, 0x43, formatVersion, 0]);
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

/** `undefined` for anything that this version did not write under this key, byte by byte. */
export function decodeEntry(key: string, bytes: Buffer): StoredEntry | undefined {
  if (bytes.length < textOffset || bytes[0] !== 0x54 || bytes[1] !== 0x43 || bytes[2] !== formatVersion) {
    return undefined;
  }
  if (bytes.readUInt32BE(checksumOffset) !== checksumOf(key, bytes)) return undefined;
  const valueAt = textOffset + bytes.readUInt32BE(tagsSizeOffset);
  const tags = bytes.toString('utf8', textOffset, valueAt);
  return {
    value: bytes.toString('utf8', valueAt),
    readVersion: bytes.readDoubleBE(numbersOffset),
    storedAt: bytes.readDoubleBE(numbersOffset + 8),
    freshUntil: bytes.readDoubleBE(numbersOffset + 16),
    staleWhileRevalidateUntil: bytes.readDoubleBE(numbersOffset + 24),
    staleIfErrorUntil: bytes.readDoubleBE(numbersOffset + 32),
    tags: valueAt === textOffset ? [] : tags.split(tagSeparator),
  };
}

// The key is part of it, so that an entry that got under another key shows nobody what is not theirs.
function checksumOf(key: string, bytes: Buffer): number {
  return crc32(bytes.subarray(tagsSizeOffset), crc32(bytes.subarray(0, checksumOffset), crc32(key)));
}
