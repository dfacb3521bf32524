import { requestBytes } from '../httpConnection.ts';
import { type DecoderOptions, type EventDecoder, splitHead } from './eventDecoder.ts';

/** Decodes server-sent events in a chunked HTTP/1.1 response. */
export class SseDecoder implements EventDecoder {
  readonly request: Buffer;
  isOpen = false;
  #hasHead = false;
  /** Incomplete bytes of a chunk or a head, one character each. */
  #raw = '';
  /** The part of the body after the last complete event. */
  #body = '';

  constructor({ url, query }: DecoderOptions) {
    this.request = requestBytes({ url: url.href, query, headers: { accept: 'text/event-stream' } });
  }

  get isAtEventBoundary(): boolean {
    return this.isOpen && this.#raw === '' && this.#body === '';
  }

  push(bytes: Buffer): unknown[] {
    this.#raw += bytes.toString('latin1');
    if (!this.#hasHead) {
      const head = splitHead(this.#raw);
      if (head === undefined) return [];
      if (head.status !== 200) throw new Error(`Status ${head.status}: ${head.rest.slice(0, 300)}`);
      this.#hasHead = true;
      this.#raw = head.rest;
    }
    this.#readChunks();
    const events = this.#body.split('\n\n');
    this.#body = events.pop() ?? '';
    return events.flatMap((event) => this.#payloads(event));
  }

  #readChunks(): void {
    for (;;) {
      const sizeEnd = this.#raw.indexOf('\r\n');
      if (sizeEnd < 0) return;
      const start = sizeEnd + 2;
      const size = Number.parseInt(this.#raw.slice(0, sizeEnd), 16);
      if (size === 0) throw new Error('The gateway ended the response');
      if (this.#raw.length < start + size + 2) return;
      this.#body += this.#raw.slice(start, start + size);
      this.#raw = this.#raw.slice(start + size + 2);
    }
  }

  #payloads(event: string): unknown[] {
    const lines = event.split('\n');
    if (lines.includes('event: complete')) throw new Error('The subscription was completed');
    // The first comment opens the stream; later ones are heartbeats.
    this.isOpen = true;
    const prefix = 'data: ';
    return lines
      .filter((line) => line.startsWith(prefix))
      .map((line) => JSON.parse(line.slice(prefix.length)));
  }
}
