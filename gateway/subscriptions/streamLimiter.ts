import { GatewayError } from '../errors.ts';
import { ClientCounts } from '../sharing/clientCounts.ts';

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
  readonly #weights = new ClientCounts();
  #totalWeight = 0;
  #size = 0;

  constructor(options: StreamLimiterOptions) {
    this.#options = options;
  }

  /** The number of open streams. */
  get size(): number {
    return this.#size;
  }

  /** Counts a stream as open. `weight`: as how many streams it counts for the limits. Returns an idempotent function that
   *  ends it.
   *  @throws {GatewayError} `OVERLOADED` when a limit is reached. */
  open(client: string, weight = 1): () => void {
    const { total, perClient } = this.#options;
    if (this.#totalWeight + weight > total) throw totalLimitError(total, weight);
    if (this.#weights.of(client) + weight > perClient) throw clientLimitError(perClient, weight);
    this.#totalWeight += weight;
    this.#size += 1;
    this.#weights.add(client, weight);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      this.#close(client, weight);
    };
  }

  #close(client: string, weight: number): void {
    this.#totalWeight -= weight;
    this.#size -= 1;
    this.#weights.add(client, -weight);
  }
}

function totalLimitError(total: number, weight: number): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    weight === 1
      ? `The gateway already has ${total} open streams (subscriptions and enrichment updates), its maximum (subscriptions.total). Try again later.`
      : `The gateway has no room for this subscription, which counts as ${weight} because of the size of its operation and variables (subscriptions.total). Try again later.`,
  );
}

function clientLimitError(perClient: number, weight: number): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    weight === 1
      ? `This client already has ${perClient} open streams (subscriptions and enrichment updates), the maximum for one client (subscriptions.perClient). End one of them first.`
      : `This client may not have this subscription, which counts as ${weight} of ${perClient} because of the size of its operation and variables (subscriptions.perClient). Make it smaller, or end others first.`,
  );
}
