import { GatewayError } from '../errors.ts';

/** The bytes of an answer, or of a payload, that is made in parts. */
export class ResponseChunks {
  readonly buffers: Buffer[] = [];
  readonly #maxBytes: number;
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Errors: `OPERATION_TOO_COMPLEX` for what is larger than it may be. */
  add(part: Buffer): void {
    this.#size += part.length;
    if (this.#size > this.#maxBytes) throw responseTooLarge(this.#maxBytes);
    this.buffers.push(part);
  }
}

export function responseTooLarge(maxBytes: number): GatewayError {
  return new GatewayError(
    'OPERATION_TOO_COMPLEX',
    `The answer has more than ${maxBytes} bytes, the most that this gateway sends (limits.answerSize). Select less, or ask for it in pages.`,
    { extensions: { limit: 'answerSize', allowed: maxBytes } },
  );
}
