import { slotNames } from '../../redis/clusterSlots.ts';

/** The names of all Redis keys of the cache. The part in braces determines the Cluster slot: all keys of one bucket are in
 *  one slot. */
export class RedisKeys {
  readonly #prefix: string;
  readonly #slotNames: readonly string[];
  readonly #entryPrefixes: readonly string[];

  constructor(prefix: string, buckets: number) {
    this.#prefix = prefix;
    this.#slotNames = slotNames(buckets);
    this.#entryPrefixes = this.#slotNames.map((_, bucket) => this.#nameIn(bucket, 'entry:'));
  }

  get buckets(): number {
    return this.#slotNames.length;
  }

  bucketOf(key: string): number {
    return hash(key) % this.#slotNames.length;
  }

  entry(bucket: number, key: string): string {
    return this.#entryPrefixes[bucket] + key;
  }

  /** The cache key of an entry's Redis key. */
  keyOf(bucket: number, entry: string): string {
    return entry.slice(this.#entryPrefixes[bucket]?.length);
  }

  /** The claim of the process that fetches the value of a key. */
  claim(bucket: number, key: string): string {
    return this.#nameIn(bucket, `claim:${key}`);
  }

  tag(bucket: number, tag: string): string {
    return this.#nameIn(bucket, `tag:${tag}`);
  }

  state(bucket: number): string {
    return this.#nameIn(bucket, 'state');
  }

  /** The last sequence number of all buckets. It and the log are in a slot of their own: while a new number of buckets is
   *  rolled out, old and new gateways share them. */
  get sequence(): string {
    return `${this.#prefix}{${logSlotName}}cache:sequence`;
  }

  get log(): string {
    return `${this.#prefix}{${logSlotName}}cache:log`;
  }

  /** What a key of these names contains, other than the bytes of an entry or claim. */
  formatOf(key: string): KeyFormat | undefined {
    const name = key.slice(key.indexOf('}cache:', this.#prefix.length) + '}cache:'.length);
    return formats.get(name.split(':', 1)[0] ?? '');
  }

  get channel(): string {
    return `${this.#prefix}cache:invalidations`;
  }

  #nameIn(bucket: number, name: string): string {
    return `${this.#prefix}{${this.#slotNames[bucket]}}cache:${name}`;
  }
}

/** A Redis type. The values of a hash are numbers. */
type KeyFormat = 'hash' | 'zset' | 'number';

const formats: ReadonlyMap<string, KeyFormat> = new Map([
  ['state', 'hash'],
  ['sequence', 'number'],
  ['log', 'zset'],
  ['tag', 'zset'],
]);

/** In the slot of the first bucket of any configurable number. */
const logSlotName = 'ru';

// FNV-1a over UTF-16 code units.
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}
