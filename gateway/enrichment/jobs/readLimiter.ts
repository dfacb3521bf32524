import { GatewayError } from '../../errors.ts';

/** Bounds the number of concurrent reads: while Redis does not answer, every request of a client adds one. */
export class ReadLimiter {
  readonly #max: number;
  #inFlight = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Rejects with `jobStoreUnavailableError()` beyond the limit. */
  async run<Answer>(read: () => Promise<Answer>): Promise<Answer> {
    if (this.#inFlight >= this.#max) throw jobStoreUnavailableError();
    this.#inFlight += 1;
    try {
      return await read();
    } finally {
      this.#inFlight -= 1;
    }
  }
}

/** For a client whose token may be valid: the store does not answer, or is closing. */
export function jobStoreUnavailableError(): GatewayError {
  return new GatewayError('OVERLOADED', 'Enrichment updates cannot be read at the moment. Try again later.');
}
