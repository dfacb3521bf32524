import { InvalidResponseError } from '../../subgraphs/callErrors.ts';
import { ByteQueue } from './byteQueue.ts';
import { eventTooLargeProblem } from './readEvent.ts';

interface MultipartListener {
  /** The body of a part, without its headers. */
  onPart(body: Buffer): void;
  /** The closing delimiter was read. */
  onEnd(): void;
  /** The stream is malformed or too large. Nothing is read after it. */
  onProblem(problem: InvalidResponseError): void;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const dash = 0x2d;
const maxHeaderBytes = 8 * 1024;
/** RFC 2046, 5.1.1. To search for a boundary that nearly repeats itself takes time in proportion to its length. */
const maxBoundaryLength = 70;
/** Before the boundary in a delimiter. */
const delimiterStart = '\n--';

type State = 'preamble' | 'delimiter' | 'headers' | 'body';

/** Parses `multipart/mixed` from chunks that may be split anywhere. A part is reported as soon as the boundary after it has
 *  arrived, before the end of that line. Lines end with CRLF or a bare LF. */
export class MultipartParser {
  readonly #listener: MultipartListener;
  readonly #maxPartBytes: number;
  /** Includes the line feed before it. */
  readonly #boundary: Buffer;
  readonly #queue = new ByteQueue();
  #state: State = 'preamble';
  /** How many bytes of the queue were searched without finding the start of a boundary or line end. */
  #searched = 0;
  #headerBytes = 0;
  #isStopped = false;

  constructor(boundary: string, maxPartBytes: number, listener: MultipartListener) {
    this.#boundary = Buffer.from(delimiterStart + boundary, 'latin1');
    this.#maxPartBytes = maxPartBytes;
    this.#listener = listener;
    // The first boundary may be at the start of the body, without a line feed before it.
    this.#queue.append(Buffer.from('\n'));
  }

  /** Stops reading, also within the current chunk. */
  stop(): void {
    this.#isStopped = true;
  }

  push(chunk: Buffer): void {
    if (this.#isStopped) return;
    this.#queue.append(chunk);
    while (!this.#isStopped && this.#step());
  }

  /** False if more bytes are needed. */
  #step(): boolean {
    switch (this.#state) {
      case 'preamble':
        return this.#readPreamble();
      case 'delimiter':
        return this.#readDelimiter();
      case 'headers':
        return this.#readHeader();
      case 'body':
        return this.#readBody();
    }
  }

  #readPreamble(): boolean {
    if (this.#boundary.length > delimiterStart.length + maxBoundaryLength) {
      this.#fail(new InvalidResponseError(`the boundary is longer than ${maxBoundaryLength} characters`));
      return false;
    }
    const end = this.#findBoundary();
    if (end === -1) return this.#needsMoreBytes(maxHeaderBytes);
    this.#enter('delimiter', end + this.#boundary.length);
    return true;
  }

  /** Reads the end of a boundary line: two dashes, or only whitespace. */
  #readDelimiter(): boolean {
    if (this.#queue.at(0) === dash) {
      if (this.#queue.at(1) === undefined) return false;
      if (this.#queue.at(1) === dash) {
        this.stop();
        this.#listener.onEnd();
        return false;
      }
    }
    const line = this.#takeLine();
    if (line === undefined) return this.#needsMoreBytes(maxHeaderBytes);
    if (line.toString('latin1').trim() !== '') {
      this.#fail(new InvalidResponseError('a boundary is not followed by a line end'));
      return false;
    }
    this.#headerBytes = 0;
    this.#enter('headers', 0);
    return true;
  }

  #readHeader(): boolean {
    const line = this.#takeLine();
    if (line === undefined) return this.#needsMoreBytes(maxHeaderBytes);
    this.#headerBytes += line.length;
    if (this.#headerBytes > maxHeaderBytes) {
      this.#fail(new InvalidResponseError(`the headers of a part are longer than ${maxHeaderBytes} bytes`));
      return false;
    }
    if (line.length === 0) this.#enter('body', 0);
    return true;
  }

  #readBody(): boolean {
    const end = this.#findBoundary();
    if (end === -1) return this.#needsMoreBytes(this.#maxPartBytes + this.#boundary.length + 1);
    const length = this.#queue.at(end - 1) === carriageReturn ? end - 1 : end;
    if (length > this.#maxPartBytes) return this.#needsMoreBytes(0);
    const body = this.#queue.take(length);
    this.#enter('delimiter', end - length + this.#boundary.length);
    this.#listener.onPart(body);
    return true;
  }

  #enter(state: State, passed: number): void {
    this.#queue.drop(passed);
    this.#searched = 0;
    this.#state = state;
  }

  #findBoundary(): number {
    const found = this.#queue.indexOf(this.#boundary, this.#searched);
    if (found === -1) this.#searched = Math.max(0, this.#queue.length - this.#boundary.length + 1);
    return found;
  }

  #takeLine(): Buffer | undefined {
    const end = this.#queue.indexOf(lineFeed, this.#searched);
    if (end === -1) {
      this.#searched = this.#queue.length;
      return undefined;
    }
    const hasReturn = this.#queue.at(end - 1) === carriageReturn;
    const line = this.#queue.take(hasReturn ? end - 1 : end);
    this.#queue.drop(hasReturn ? 2 : 1);
    this.#searched = 0;
    return line;
  }

  /** Always returns false, for `#step`. Fails if more than `bytes` are queued already. */
  #needsMoreBytes(bytes: number): false {
    if (this.#queue.length > bytes) this.#fail(eventTooLargeProblem(this.#maxPartBytes));
    return false;
  }

  #fail(problem: InvalidResponseError): void {
    this.stop();
    this.#listener.onProblem(problem);
  }
}
