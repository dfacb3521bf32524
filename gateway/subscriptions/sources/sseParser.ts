import { appendChunk } from '../../memory/appendChunk.ts';
import type { InvalidResponseError } from '../../subgraphs/callErrors.ts';
import { ByteQueue } from './byteQueue.ts';
import { eventTooLargeProblem } from './readEvent.ts';

interface SseListener {
  /** `event` is empty if the stream gives no name. `data`: the `data` lines, joined by line feeds. */
  onEvent(event: string, data: Buffer): void;
  onComment(): void;
  /** An event is too large. Nothing is read after it. */
  onProblem(problem: InvalidResponseError): void;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const colon = 0x3a;
const space = 0x20;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
const lineSeparator = Buffer.from('\n');

/** Maximum bytes of a line besides the event: the field name, and fields other than `data`. */
const maxOverheadBytes = 1024;

/** Parses an event stream from chunks that may be split anywhere. Lines end with CR, LF or CRLF. Unlike in browsers, a
 *  named event without data is reported: some servers send `complete` without data. */
export class SseParser {
  readonly #listener: SseListener;
  readonly #maxEventBytes: number;
  readonly #queue = new ByteQueue();
  /** How many bytes of the queue were searched without finding a line end. */
  #searched = 0;
  #isAtStart = true;
  #endedWithReturn = false;
  #isStopped = false;
  #event = '';
  #data: Buffer[] = [];
  #dataBytes = 0;

  constructor(maxEventBytes: number, listener: SseListener) {
    this.#maxEventBytes = maxEventBytes;
    this.#listener = listener;
  }

  /** Stops reading, also within the current chunk. */
  stop(): void {
    this.#isStopped = true;
  }

  push(chunk: Buffer): void {
    if (this.#isStopped) return;
    this.#queue.append(chunk);
    if (this.#isAtStart && !this.#skipByteOrderMark()) return;
    while (!this.#isStopped) {
      this.#skipLineFeed();
      const end = this.#findLineEnd();
      if (end === -1) break;
      const line = this.#queue.take(end);
      this.#endedWithReturn = this.#queue.at(0) === carriageReturn;
      this.#queue.drop(1);
      this.#searched = 0;
      this.#readLine(line);
    }
    if (!this.#isStopped && this.#queue.length > this.#maxEventBytes + maxOverheadBytes) this.#fail();
  }

  /** Returns false while more bytes are needed to decide. */
  #skipByteOrderMark(): boolean {
    for (const [index, byte] of byteOrderMark.entries()) {
      const found = this.#queue.at(index);
      if (found === undefined) return false;
      if (found === byte) continue;
      this.#isAtStart = false;
      return true;
    }
    this.#queue.drop(byteOrderMark.length);
    this.#isAtStart = false;
    return true;
  }

  #skipLineFeed(): void {
    if (!this.#endedWithReturn || this.#queue.length === 0) return;
    this.#endedWithReturn = false;
    if (this.#queue.at(0) === lineFeed) this.#queue.drop(1);
  }

  #findLineEnd(): number {
    for (let index = this.#searched; index < this.#queue.length; index++) {
      const byte = this.#queue.at(index);
      if (byte === lineFeed || byte === carriageReturn) return index;
    }
    this.#searched = this.#queue.length;
    return -1;
  }

  #readLine(line: Buffer): void {
    if (line.length === 0) {
      this.#dispatch();
      return;
    }
    const end = line.indexOf(colon);
    if (end === 0) {
      this.#listener.onComment();
      return;
    }
    const name = (end === -1 ? line : line.subarray(0, end)).toString('latin1');
    const value =
      end === -1 ? line.subarray(line.length) : line.subarray(end + (line[end + 1] === space ? 2 : 1));
    if (name === 'event') this.#event = value.toString('utf8');
    else if (name === 'data') this.#addData(value);
    // GraphQL over SSE does not use `id` and `retry`, and the SSE standard says to ignore other fields.
  }

  #addData(value: Buffer): void {
    if (this.#data.length > 0) this.#data.push(lineSeparator);
    this.#dataBytes += value.length + 1;
    appendChunk(this.#data, value, this.#dataBytes);
    if (this.#dataBytes > this.#maxEventBytes + 1) this.#fail();
  }

  #dispatch(): void {
    const event = this.#event;
    const data = this.#data;
    this.#event = '';
    this.#data = [];
    this.#dataBytes = 0;
    if (event === '' && data.length === 0) return;
    this.#listener.onEvent(event, data.length === 1 ? (data[0] as Buffer) : Buffer.concat(data));
  }

  #fail(): void {
    this.stop();
    this.#listener.onProblem(eventTooLargeProblem(this.#maxEventBytes));
  }
}
