import { crc32 } from 'node:zlib';
import type { CacheEntry } from './cacheStore.ts';

export interface StoredEntry extends CacheEntry {
  /** Invalidations that were known when its read began. */
  readonly readAt: number;
}

// 0  T C, number of this format, 0         44  checksum of the key and of all from 48 on, and of the five numbers
// 4  five doubles, big-endian:             48  bytes of the tags
//    readAt, storedAt, the three times     52  the tags with NUL in between, then the value
// The script that writes reads the first twenty bytes (`redisScripts.ts`).
const formatVersion = 1;
const numbersAt = 4;
const checksumAt = 44;
const tagsSizeAt = 48;
const textAt = 52;
const tagSeparator = '\0';

/** An entry as Redis keeps it under a key. */
export function encodeEntry(key: string, entry: StoredEntry): Buffer {
  const tags = entry.tags.join(tagSeparator);
  const tagsSize = Buffer.byteLength(tags);
  const bytes = Buffer.allocUnsafe(textAt + tagsSize + Buffer.byteLength(entry.value));
  bytes.set([0x54, 0x43, formatVersion, 0]);
  bytes.writeDoubleBE(entry.readAt, numbersAt);
  bytes.writeDoubleBE(entry.storedAt, numbersAt + 8);
  bytes.writeDoubleBE(entry.freshUntil, numbersAt + 16);
  bytes.writeDoubleBE(entry.staleWhileRevalidateUntil, numbersAt + 24);
  bytes.writeDoubleBE(entry.staleIfErrorUntil, numbersAt + 32);
  bytes.writeUInt32BE(tagsSize, tagsSizeAt);
  bytes.write(tags, textAt);
  bytes.write(entry.value, textAt + tagsSize);
  bytes.writeUInt32BE(checksumOf(key, bytes), checksumAt);
  return bytes;
}

/** `undefined` for anything that this version did not write under this key, byte by byte. */
export function decodeEntry(key: string, bytes: Buffer): StoredEntry | undefined {
  if (bytes.length < textAt || bytes[0] !== 0x54 || bytes[1] !== 0x43 || bytes[2] !== formatVersion) {
    return undefined;
  }
  if (bytes.readUInt32BE(checksumAt) !== checksumOf(key, bytes)) return undefined;
  const valueAt = textAt + bytes.readUInt32BE(tagsSizeAt);
  const tags = bytes.toString('utf8', textAt, valueAt);
  return {
    value: bytes.toString('utf8', valueAt),
    readAt: bytes.readDoubleBE(numbersAt),
    storedAt: bytes.readDoubleBE(numbersAt + 8),
    freshUntil: bytes.readDoubleBE(numbersAt + 16),
    staleWhileRevalidateUntil: bytes.readDoubleBE(numbersAt + 24),
    staleIfErrorUntil: bytes.readDoubleBE(numbersAt + 32),
    tags: valueAt === textAt ? [] : tags.split(tagSeparator),
  };
}

// The key is part of it, so that an entry that got under another key shows nobody what is not theirs.
function checksumOf(key: string, bytes: Buffer): number {
  return crc32(bytes.subarray(tagsSizeAt), crc32(bytes.subarray(0, checksumAt), crc32(key)));
}
