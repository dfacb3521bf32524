import type { SlicedTask } from '../time/slicedTask.ts';
import { JsonLimitError } from './exactJson.ts';

interface ParseJsonOptions {
  /** Maximum nesting of lists and objects. */
  readonly maxDepth: number;
  /** Bytes that `JSON.parse` reads at once. The default takes about a millisecond. */
  readonly chunkBytes?: number;
  /** Parses a chunk; `JSON.parse` when omitted. */
  readonly parse?: (text: string) => unknown;
}

const defaultChunkBytes = 64 * 1024;

/** `JSON.parse` for large texts, as a sliced task. Splits the text into chunks of whole list elements or object members,
 *  parses each chunk with `JSON.parse`, and assembles the results. Accepts the same texts as `JSON.parse`, with the same
 *  values. `bytes`: valid UTF-8 without a byte order mark.
 *  @throws {SyntaxError} if the text is not JSON.
 *  @throws {JsonLimitError} if the text is nested deeper than `maxDepth`. */
export function* parseJsonInSlices(bytes: Buffer, options: ParseJsonOptions): SlicedTask<unknown> {
  const { maxDepth, chunkBytes = defaultChunkBytes, parse = JSON.parse } = options;
  const reader = new ChunkedJsonReader(bytes, chunkBytes, maxDepth, parse);
  const { length } = bytes;
  let position = 0;
  let pauseAt = chunkBytes;
  while (position < length) {
    position = reader.scan(position, Math.min(length, pauseAt));
    if (position < length && position < pauseAt) {
      position = yield* reader.scanLongString(position);
      pauseAt = position + chunkBytes;
    } else if (position >= pauseAt) {
      reader.takeChunks(position);
      pauseAt = position + chunkBytes / 2;
      yield;
    }
  }
  return reader.end();
}

/** A list or object that is being parsed. */
interface Container {
  isObject: boolean;
  /** Position of its opening bracket. */
  start: number;
  /** The assembled value, if the container is parsed in chunks; `undefined` if it is part of a chunk of its parent. */
  value: unknown[] | Record<string, unknown> | undefined;
  /** Position of the first byte that is not parsed yet. */
  unreadFrom: number;
  /** Position of the last comma between its elements after `unreadFrom`; -1 if there is none. */
  lastComma: number;
  /** Whether the text before `unreadFrom` ends with an element, so that a comma or bracket must follow. */
  isAfterElement: boolean;
  /** Whether the text before `unreadFrom` ends with a comma, so that an element must follow. */
  isAfterComma: boolean;
}

class ChunkedJsonReader {
  readonly #bytes: Buffer;
  readonly #chunkBytes: number;
  readonly #maxDepth: number;
  readonly #parse: (text: string) => unknown;
  /** Positions of the first quote and the first backslash after some position that was scanned. */
  #nextQuote = -1;
  #nextBackslash = -1;
  /** The open containers, outermost first; entries beyond `#depth` are reused later. The first one represents the whole
   *  text, as a list whose only element is the value. */
  readonly #containers: Container[] = [];
  #depth = 0;
  /** How many of the open containers are parsed in chunks. */
  #chunkedDepth = 1;

  constructor(bytes: Buffer, chunkBytes: number, maxDepth: number, parse: (text: string) => unknown) {
    this.#bytes = bytes;
    this.#chunkBytes = chunkBytes;
    this.#maxDepth = maxDepth;
    this.#parse = parse;
    this.#push(-1, false).value = [];
  }

  /** Reads brackets and commas from `position` to `stop`. Returns where it has stopped: at `stop`, after a string that ends
   *  beyond it, or before it at the opening quote of a string that is longer than a chunk. */
  scan(position: number, stop: number): number {
    const bytes = this.#bytes;
    let at = position;
    while (at < stop) {
      const kind = characterKinds[bytes[at] as number] as number;
      if (kind === 1) {
        const end = this.#endOfString(at + 1, at + this.#chunkBytes);
        if (bytes[end] !== quote) return at;
        at = end;
      } else if (kind === 2) this.#open(at);
      else if (kind === 3) this.#close(at);
      else if (kind === 4) this.#separate(at);
      at++;
    }
    return at;
  }

  /** Scans a string that is longer than a chunk, and if it is a value, parses it. Returns the position after it.
   *  `start`: its opening quote. */
  *scanLongString(start: number): Generator<void, number, void> {
    const bytes = this.#bytes;
    const cuts = [start + 1];
    let at = start + 1;
    for (;;) {
      at = this.#endOfString(at, at + this.#chunkBytes);
      // Do not cut within a UTF-8 character.
      while (((bytes[at] as number) & 0xc0) === 0x80) at++;
      if (at >= bytes.length) throw new SyntaxError('Unterminated string in JSON');
      cuts.push(at);
      if (bytes[at] === quote) break;
      yield;
    }
    if (this.#isValueAt(start)) yield* this.#takeLongString(start, cuts);
    return at + 1;
  }

  /** Returns the position of the first quote from `position` on that no backslash escapes, or the first position from
   *  `stop` on at which no escape sequence continues. */
  #endOfString(position: number, stop: number): number {
    const bytes = this.#bytes;
    let at = position;
    while (at < stop) {
      // Most strings are short: a native call takes as long as some twenty steps of this loop.
      const nativeFrom = Math.min(stop, at + shortStringBytes);
      while (at < nativeFrom) {
        const byte = bytes[at];
        if (byte === quote) return at;
        if (byte !== backslash) at++;
        else at += bytes[at + 1] === smallU ? 6 : 2;
      }
      if (at >= stop) break;
      if (this.#nextQuote < at) this.#nextQuote = this.#indexOf(quote, at);
      if (this.#nextBackslash < at) this.#nextBackslash = this.#indexOf(backslash, at);
      const end = Math.min(this.#nextQuote, stop);
      if (this.#nextBackslash >= end) return end;
      at = this.#nextBackslash;
    }
    return at;
  }

  #indexOf(byte: number, from: number): number {
    const index = this.#bytes.indexOf(byte, from);
    return index === -1 ? this.#bytes.length : index;
  }

  /** Whether the string at `start` is a value, not the key of a member. */
  #isValueAt(start: number): boolean {
    const { isObject, unreadFrom, lastComma } = this.#containers[this.#depth - 1] as Container;
    if (!isObject) return true;
    for (let i = start - 1; i >= Math.max(unreadFrom, lastComma + 1); i--)
      if (!isWhitespace(this.#bytes[i])) return true;
    return false;
  }

  #open(position: number): void {
    // The first container is not part of the text.
    if (this.#depth > this.#maxDepth)
      throw new JsonLimitError(`it is nested deeper than ${this.#maxDepth} levels`);
    this.#push(position, this.#bytes[position] === openBrace);
  }

  #close(position: number): void {
    const container = this.#containers[this.#depth - 1] as Container;
    if (this.#depth === 1 || container.isObject !== (this.#bytes[position] === closeBrace)) {
      throw new SyntaxError(`Unexpected bracket in JSON at position ${position}`);
    }
    this.#depth--;
    if (container.value === undefined) return;
    this.#finish(container, position);
    this.#chunkedDepth--;
    const parent = this.#containers[this.#depth - 1] as Container;
    parent.unreadFrom = position + 1;
    parent.isAfterElement = true;
  }

  #separate(position: number): void {
    const container = this.#containers[this.#depth - 1] as Container;
    if (this.#depth === 1) throw new SyntaxError(`Unexpected comma in JSON at position ${position}`);
    if (container.isAfterElement) {
      this.#expectWhitespace(container.unreadFrom, position);
      container.isAfterElement = false;
      container.isAfterComma = true;
      container.unreadFrom = position + 1;
    } else container.lastComma = position;
  }

  /** Parses all complete elements before `position`. */
  takeChunks(position: number): void {
    for (;;) {
      const container = this.#containers[this.#chunkedDepth - 1] as Container;
      this.#takeComplete(container);
      if (this.#chunkedDepth === this.#depth || position - container.unreadFrom < this.#chunkBytes) return;
      this.#enterNextContainer();
    }
  }

  /** Parses a long string value in pieces. `start`: its opening quote; `cuts`: the positions that separate the pieces, from
   *  after the opening quote to the closing one. */
  *#takeLongString(start: number, cuts: readonly number[]): SlicedTask {
    while (this.#chunkedDepth < this.#depth) {
      this.#takeComplete(this.#containers[this.#chunkedDepth - 1] as Container);
      this.#enterNextContainer();
    }
    const container = this.#containers[this.#depth - 1] as Container;
    this.#takeComplete(container);
    const key = this.#keyBefore(container, start);
    let text = '';
    for (let i = 1; i < cuts.length; i++) {
      text += JSON.parse(`"${this.#text(cuts[i - 1] as number, cuts[i] as number)}"`);
      yield;
    }
    this.#addElement(container, key, text);
    container.unreadFrom = (cuts.at(-1) as number) + 1;
    container.isAfterElement = true;
  }

  end(): unknown {
    if (this.#depth > 1) throw new SyntaxError('Unexpected end of JSON input');
    const whole = this.#containers[0] as Container;
    this.#finish(whole, this.#bytes.length);
    const [value] = whole.value as unknown[];
    if ((whole.value as unknown[]).length !== 1) throw new SyntaxError('Unexpected end of JSON input');
    return value;
  }

  #push(start: number, isObject: boolean): Container {
    let container = this.#containers[this.#depth];
    if (container === undefined) {
      container = {
        isObject,
        start,
        value: undefined,
        unreadFrom: start + 1,
        lastComma: -1,
        isAfterElement: false,
        isAfterComma: false,
      };
      this.#containers.push(container);
    } else {
      container.isObject = isObject;
      container.start = start;
      container.value = undefined;
      container.unreadFrom = start + 1;
      container.lastComma = -1;
      container.isAfterElement = false;
      container.isAfterComma = false;
    }
    this.#depth++;
    return container;
  }

  /** Starts to parse the next inner container in chunks, and adds it to its parent as an element. */
  #enterNextContainer(): void {
    const container = this.#containers[this.#chunkedDepth - 1] as Container;
    const inner = this.#containers[this.#chunkedDepth] as Container;
    inner.value = inner.isObject ? {} : [];
    this.#addElement(container, this.#keyBefore(container, inner.start), inner.value);
    this.#chunkedDepth++;
  }

  /** Parses the elements up to the last comma. */
  #takeComplete(container: Container): void {
    const { lastComma } = container;
    if (lastComma === -1) return;
    if (!this.#take(container, lastComma))
      throw new SyntaxError(`Unexpected comma in JSON at position ${lastComma}`);
    container.unreadFrom = lastComma + 1;
    container.lastComma = -1;
    container.isAfterComma = true;
  }

  #finish(container: Container, end: number): void {
    if (container.isAfterElement) this.#expectWhitespace(container.unreadFrom, end);
    else if (!this.#take(container, end) && container.isAfterComma) {
      throw new SyntaxError(`Unexpected bracket in JSON at position ${end}`);
    }
  }

  /** Parses the text from `unreadFrom` to `end`. Returns false if it is only whitespace. */
  #take(container: Container, end: number): boolean {
    const text = this.#text(container.unreadFrom, end);
    if (container.isObject) {
      const members = this.#parse(`{${text}}`) as Record<string, unknown>;
      const keys = Object.keys(members);
      for (const key of keys) this.#addElement(container, key, members[key]);
      return keys.length > 0;
    }
    const elements = this.#parse(`[${text}]`) as unknown[];
    const list = container.value as unknown[];
    for (let i = 0; i < elements.length; i++) list.push(elements[i]);
    return elements.length > 0;
  }

  /** The key of the value that begins at `end`; `undefined` for an element of a list. */
  #keyBefore(container: Container, end: number): string | undefined {
    const text = this.#text(container.unreadFrom, end);
    // `trim` also removes what is no whitespace in JSON.
    if (container.isAfterElement || (!container.isObject && /[^ \n\r\t]/.test(text))) {
      throw new SyntaxError(`Unexpected value in JSON at position ${end}`);
    }
    if (!container.isObject) return undefined;
    const [key] = Object.keys(JSON.parse(`{${text}[]}`));
    if (key === undefined) throw new SyntaxError(`Unexpected value in JSON at position ${end}`);
    return key;
  }

  #addElement({ value }: Container, key: string | undefined, element: unknown): void {
    if (key === undefined) (value as unknown[]).push(element);
    else if (key !== '__proto__') (value as Record<string, unknown>)[key] = element;
    else {
      const property = { value: element, writable: true, enumerable: true, configurable: true };
      Object.defineProperty(value, key, property);
    }
  }

  #expectWhitespace(from: number, end: number): void {
    for (let i = from; i < end; i++) {
      if (!isWhitespace(this.#bytes[i])) {
        throw new SyntaxError(`Unexpected token in JSON at position ${i}`);
      }
    }
  }

  #text(from: number, end: number): string {
    return this.#bytes.toString('utf8', from, end);
  }
}

function isWhitespace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** From this length on, `indexOf` is faster than a loop. */
const shortStringBytes = 24;

const quote = 0x22;
const backslash = 0x5c;
const smallU = 0x75;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** 1: a quote, 2: an opening bracket, 3: a closing bracket, 4: a comma, 0: anything else. */
const characterKinds = new Uint8Array(256);
for (const [characters, kind] of [
  ['"', 1],
  ['{[', 2],
  ['}]', 3],
  [',', 4],
] as const) {
  for (const character of characters) characterKinds[character.charCodeAt(0)] = kind;
}
