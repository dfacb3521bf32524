import { crc32 } from 'node:zlib';
import { TransientMap } from './transientMap.ts';

/** From each text, only so many characters at its beginning and at its end are hashed. */
const hashedLength = 512;

/** A key of a `TextMap`: two texts, so that they need not be copied into one. */
export class TextKey {
  readonly scope: string;
  readonly text: string;
  readonly hash: number;

  constructor(scope: string, text: string) {
    this.scope = scope;
    this.text = text;
    this.hash = hashOf(text, hashOf(scope, 0)) | 0;
  }

  equals(other: TextKey): boolean {
    return this.scope === other.scope && this.text === other.text;
  }
}

interface Entry<Value> {
  readonly key: TextKey;
  value: Value;
  /** An entry with the same hash. */
  next: Entry<Value> | undefined;
}

/** A map from texts that are long, and that mostly occur once: the bodies of requests, or keys that contain an identity.
 *
 *  V8 interns each text that is the key of a Map, also when it only looks for it: it copies the text into a table in the old
 *  generation, where the text stays until the next full garbage collection. This map has numbers as keys. */
export class TextMap<Value> {
  readonly #entries = new TransientMap<number, Entry<Value>>();

  get(key: TextKey): Value | undefined {
    return this.#find(key)?.value;
  }

  set(key: TextKey, value: Value): void {
    const known = this.#find(key);
    if (known !== undefined) {
      known.value = value;
      return;
    }
    this.#entries.set(key.hash, { key, value, next: this.#entries.get(key.hash) });
  }

  delete(key: TextKey): void {
    let before: Entry<Value> | undefined;
    let entry = this.#entries.get(key.hash);
    while (entry !== undefined && !entry.key.equals(key)) {
      before = entry;
      entry = entry.next;
    }
    if (entry === undefined) return;
    if (before !== undefined) before.next = entry.next;
    else if (entry.next !== undefined) this.#entries.set(key.hash, entry.next);
    else this.#entries.delete(key.hash);
  }

  #find(key: TextKey): Entry<Value> | undefined {
    let entry = this.#entries.get(key.hash);
    while (entry !== undefined && !entry.key.equals(key)) entry = entry.next;
    return entry;
  }
}

function hashOf(text: string, start: number): number {
  if (text.length <= 2 * hashedLength) return crc32(text, start);
  return crc32(text.slice(-hashedLength), crc32(text.slice(0, hashedLength), start));
}
