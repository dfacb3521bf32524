import { InvalidResponseError } from '../../subgraphs/callErrors.ts';
import { ByteQueue } from './byteQueue.ts';
import { eventTooLargeProblem } from './readEvent.ts';

interface MultipartListener {
  /** The body of a part, without its headers. */
  onPart(body: Buffer): void;
  /** The closing delimiter was there. */
  onEnd(): void;
  /** The stream cannot be read on. */
  onProblem(problem: InvalidResponseError): void;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const dash = 0x2d;
const maxHeaderBytes = 8 * 1024;

type State = 'preamble' | 'delimiter' | 'headers' | 'body';

/** Reads `multipart/mixed` in chunks that may end anywhere. A part is told as soon as the boundary after it is there,
 *  the rest of that line may come later. Lines end by CRLF, and a bare LF is taken as well. */
export class MultipartParser {
  readonly #listener: MultipartListener;
  readonly #maxPartBytes: number;
  /** With the line feed before it. */
  readonly #boundary: Buffer;
  readonly #queue = new ByteQueue();
  #state: State = 'preamble';
  /** Bytes of the queue in which no boundary, or line end, begins. */
  #searched = 0;
  #headerBytes = 0;
  #isStopped = false;

  constructor(boundary: string, maxPartBytes: number, listener: MultipartListener) {
    this.#boundary = Buffer.from(`\n--${boundary}`, 'latin1');
    this.#maxPartBytes = maxPartBytes;
    this.#listener = listener;
    // The first boundary may begin the body, where no line feed comes before it.
    this.#queue.append(Buffer.from('\n'));
  }

  /** Nothing is read any more, not even what is left of the present chunk. */
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
    const end = this.#findBoundary();
    if (end === -1) return this.#needsMoreBytes(maxHeaderBytes);
    this.#enter('delimiter', end + this.#boundary.length);
    return true;
  }

  /** What follows a boundary on its line: two dashes, or nothing but blanks. */
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
      this.#fail(new InvalidResponseError('a boundary is followed by something else than a line end'));
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

  /** Always false: nothing can be done before there is more. */
  #needsMoreBytes(bytes: number): false {
    if (this.#queue.length > bytes) this.#fail(eventTooLargeProblem(this.#maxPartBytes));
    return false;
  }

  #fail(problem: InvalidResponseError): void {
    this.stop();
    this.#listener.onProblem(problem);
  }
}
