import { GatewayError } from '../errors.ts';

/** The bytes of a response, or of a payload, that is written in chunks. */
export class ResponseChunks {
  readonly buffers: Buffer[] = [];
  readonly #maxBytes: number;
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws {GatewayError} `OPERATION_TOO_COMPLEX` beyond `maxBytes`. */
  add(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#maxBytes) throw responseTooLargeError(this.#maxBytes);
    this.buffers.push(chunk);
  }
}

export function responseTooLargeError(maxBytes: number): GatewayError {
  return new GatewayError(
    'OPERATION_TOO_COMPLEX',
    `The response exceeds ${maxBytes} bytes (limits.responseSize). Select fewer fields, or fetch the data in pages.`,
    { extensions: { limit: 'responseSize', allowed: maxBytes } },
  );
}
