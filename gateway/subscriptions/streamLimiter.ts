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
  readonly #weightByClient = new Map<string, number>();
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
    const ofClient = (this.#weightByClient.get(client) ?? 0) + weight;
    if (ofClient > perClient) throw clientLimitError(perClient, weight);
    this.#totalWeight += weight;
    this.#size += 1;
    this.#weightByClient.set(client, ofClient);
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
    const ofClient = (this.#weightByClient.get(client) ?? 0) - weight;
    if (ofClient > 0) this.#weightByClient.set(client, ofClient);
    else this.#weightByClient.delete(client);
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
