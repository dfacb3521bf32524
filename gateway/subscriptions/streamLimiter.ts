import { GatewayError } from '../errors.ts';

export interface StreamLimiterOptions {
  /** Maximum open streams in this process. */
  readonly total: number;
  /** Maximum open streams of one client. */
  readonly perClient: number;
}

/** Counts the open streams of clients, and rejects more than the limits. Streams are subscriptions, and event streams of
 *  deferred enrichments. */
export class StreamLimiter {
  readonly #options: StreamLimiterOptions;
  readonly #countByClient = new Map<string, number>();
  #total = 0;

  constructor(options: StreamLimiterOptions) {
    this.#options = options;
  }

  /** The number of open streams. */
  get size(): number {
    return this.#total;
  }

  /** Counts a stream as open. Returns an idempotent function that ends it.
   *  @throws {GatewayError} `OVERLOADED` when a limit is reached. */
  open(client: string): () => void {
    const { total, perClient } = this.#options;
    if (this.#total >= total) throw totalLimitError(total);
    const count = this.#countByClient.get(client) ?? 0;
    if (count >= perClient) throw clientLimitError(perClient);
    this.#total += 1;
    this.#countByClient.set(client, count + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      this.#close(client);
    };
  }

  #close(client: string): void {
    this.#total -= 1;
    const count = (this.#countByClient.get(client) ?? 0) - 1;
    if (count > 0) this.#countByClient.set(client, count);
    else this.#countByClient.delete(client);
  }
}

function totalLimitError(total: number): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    `The gateway already has ${total} open streams (subscriptions and enrichment updates), its maximum (subscriptions.total). Try again later.`,
  );
}

function clientLimitError(perClient: number): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    `This client already has ${perClient} open streams (subscriptions and enrichment updates), the maximum for one client (subscriptions.perClient). End one of them first.`,
  );
}
