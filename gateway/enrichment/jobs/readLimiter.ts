import { GatewayError } from '../../errors.ts';

/** Reads that wait for an answer, bounded: while Redis is gone, everyone who asks adds one. */
export class ReadLimiter {
  readonly #max: number;
  #inFlight = 0;

  constructor(most: number) {
    this.#max = most;
  }

  /** Rejects with a `GatewayError` where too many wait. */
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

/** Whether a token is good, or what has come, is not known now. */
export function jobStoreUnavailableError(): GatewayError {
  return new GatewayError('OVERLOADED', 'Late enrichments cannot be read at the moment. Ask again.');
}
