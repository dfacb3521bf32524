import { HttpConnection } from './httpConnection.ts';
import { MultipartReader } from './multipart.ts';

/** A complete response. */
export interface Received {
  readonly status: number;
  /** One body, or the parts of a `multipart/mixed` response. */
  readonly bodies: readonly string[];
  /** From sending the request until the first body is complete. */
  readonly firstMs: number;
  readonly wholeMs: number;
}

/** Sends one request at a time, each after the previous response is complete. */
export class ClientConnection {
  readonly #connection: HttpConnection;
  #isOpen = true;
  #status = 0;
  #parts: MultipartReader | undefined;
  #bodies: string[] = [];
  #single: Buffer[] = [];
  #sentAt = 0;
  #firstAt = 0;
  #onHead = (): void => {};
  #current: PromiseWithResolvers<Received> | undefined;

  constructor(url: URL) {
    this.#connection = new HttpConnection(url, {
      onHead: (status, head) => {
        this.#status = status;
        this.#parts = /\r\ncontent-type: *multipart\//i.test(head) ? new MultipartReader(head) : undefined;
        this.#onHead();
      },
      onBody: (chunk) => this.#receive(chunk),
      onEnd: () => this.#finish(),
      onFailure: (error) => {
        this.#isOpen = false;
        this.#current?.reject(error);
      },
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Calls `onHead` when the response begins. Rejects if the connection breaks. */
  send(request: Buffer, onHead: () => void = () => {}): Promise<Received> {
    this.#current = Promise.withResolvers();
    this.#onHead = onHead;
    this.#bodies = [];
    this.#single = [];
    this.#firstAt = 0;
    this.#sentAt = performance.now();
    this.#connection.send(request);
    return this.#current.promise;
  }

  close(): void {
    this.#isOpen = false;
    this.#connection.close();
  }

  #receive(chunk: Buffer): void {
    if (this.#parts === undefined) {
      this.#single.push(chunk);
      return;
    }
    // Bodies are read as bytes, because a chunk may end within a character.
    const texts = this.#parts.push(chunk).map((part) => Buffer.from(part, 'latin1').toString());
    this.#bodies.push(...texts);
    if (this.#bodies.length > 0) this.#firstAt ||= performance.now();
  }

  #finish(): void {
    const now = performance.now();
    this.#firstAt ||= now;
    if (this.#parts === undefined) this.#bodies = [Buffer.concat(this.#single).toString()];
    this.#current?.resolve({
      status: this.#status,
      bodies: this.#bodies,
      firstMs: this.#firstAt - this.#sentAt,
      wholeMs: now - this.#sentAt,
    });
  }
}
