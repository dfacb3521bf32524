import type { ServerResponse } from 'node:http';
import type { Transform } from 'node:stream';
import { type ContentCoding, createStreamCompressor } from './compression.ts';

/** Compresses the body of a response that is written in several parts. The client can decode each part when it arrives. */
export class CompressedStream {
  readonly #compressor: Transform;
  readonly #response: ServerResponse;

  constructor(response: ServerResponse, coding: ContentCoding) {
    this.#response = response;
    this.#compressor = createStreamCompressor(coding);
    this.#compressor.on('data', (bytes: Buffer) => response.write(bytes));
    this.#compressor.on('error', () => response.destroy());
    response.once('close', () => this.#compressor.destroy());
  }

  /** Bytes that wait to be compressed. */
  get length(): number {
    return this.#compressor.writableLength;
  }

  /** Resolves when the part is written to the response, or the client has disconnected. */
  write(part: string): Promise<void> {
    return new Promise((resolve) => this.#compressor.write(part, () => resolve()));
  }

  /** Resolves when the body has ended, or the client has disconnected. `part`: the last one, which may be empty. */
  end(part: string): Promise<void> {
    return new Promise((resolve) => {
      this.#compressor.once('end', () => this.#response.end());
      this.#compressor.once('close', () => resolve());
      if (this.#compressor.destroyed) resolve();
      else this.#compressor.end(part);
    });
  }
}
