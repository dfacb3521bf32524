import { GatewayError } from '../../errors.ts';

/** Reads that wait for an answer, bounded: while Redis is gone, everyone who asks adds one. */
export class PendingReads {
  readonly #most: number;
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Rejects with a `GatewayError` where too many wait. */
  async run<Answer>(read: () => Promise<Answer>): Promise<Answer> {
    if (this.#count >= this.#most) throw unreachable();
    this.#count += 1;
    try {
      return await read();
    } finally {
      this.#count -= 1;
    }
  }
}

/** Whether a token is good, or what has come, is not known now. */
export function unreachable(): GatewayError {
  return new GatewayError('OVERLOADED', 'Late enrichments cannot be read at the moment. Ask again.');
}
