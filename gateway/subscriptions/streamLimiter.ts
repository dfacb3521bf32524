import { GatewayError } from '../errors.ts';

export interface StreamLimiterOptions {
  /** Most streams at a time. */
  readonly total: number;
  /** Most of these that one client has. */
  readonly perClient: number;
}

/** Counts what is open for clients for as long as there are events: subscriptions, and followers of what is late. */
export class StreamLimiter {
  readonly #options: StreamLimiterOptions;
  readonly #countByClient = new Map<string, number>();
  #total = 0;

  constructor(options: StreamLimiterOptions) {
    this.#options = options;
  }

  /** Begins a stream; returns what ends it, which may be called again. Errors: `GatewayError` `OVERLOADED`. */
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
    const left = (this.#countByClient.get(client) ?? 0) - 1;
    if (left > 0) this.#countByClient.set(client, left);
    else this.#countByClient.delete(client);
  }
}

/** The same events; `onEnd` is called when there are no more, or nobody takes them any more, perhaps twice. */
export function notifyOnEnd<Event>(events: AsyncIterable<Event>, onEnd: () => void): AsyncIterable<Event> {
  const iterator = events[Symbol.asyncIterator]();
  const same: AsyncIterableIterator<Event> = {
    next: async () => {
      try {
        const step = await iterator.next();
        if (step.done === true) onEnd();
        return step;
      } catch (error) {
        onEnd();
        throw error;
      }
    },
    return: async () => {
      onEnd();
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => same,
  };
  return same;
}

function totalLimitError(total: number): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    `There are ${total} subscriptions already, the most that this gateway serves (subscriptions.total). Try again later.`,
  );
}

function clientLimitError(perClient: number): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    `You have ${perClient} subscriptions already, the most that one client may have (subscriptions.perClient). End one of them first.`,
  );
}
