import { Refusal } from '../refusal.ts';
import { ClientStream, type ClientStreamSettings } from './clientStream.ts';

export interface EventStreamsOptions extends ClientStreamSettings {
  /** Most streams at a time, reserved ones included; 0 for none. */
  readonly streams: number;
  /** Most of these that one client has. */
  readonly streamsPerClient: number;
  readonly isDraining: () => boolean;
  /** Makes tokens, which are not to be guessed. */
  readonly newToken: () => string;
}

interface Reserved {
  readonly stream: ClientStream;
  readonly client: string;
}

/** The event streams on which clients have several operations each, by the tokens that lead to them. */
export class EventStreams {
  readonly #options: EventStreamsOptions;
  readonly #byToken = new Map<string, Reserved>();
  readonly #countByClient = new Map<string, number>();

  constructor(options: EventStreamsOptions) {
    this.#options = options;
  }

  /** Reserves a stream for a client; returns its token, which is all that leads to it. Throws a `Refusal` (503) where
   *  there are as many as may be. */
  reserve(client: string): string {
    const { streams, streamsPerClient, isDraining, newToken, ...settings } = this.#options;
    if (isDraining()) {
      throw new Refusal(503, 'The gateway is shutting down. Try again.', { code: 'REQUEST_ABORTED' });
    }
    if (this.#byToken.size >= streams) throw tooMany(streams, 'limits.eventStreams');
    const count = this.#countByClient.get(client) ?? 0;
    if (count >= streamsPerClient) throw tooMany(streamsPerClient, 'limits.eventStreamsPerClient');
    const token = newToken();
    const stream = new ClientStream({ ...settings, onEnd: () => this.#forget(token) });
    this.#byToken.set(token, { stream, client });
    this.#countByClient.set(client, count + 1);
    return token;
  }

  /** Throws a `Refusal` (404) for a token that leads to nothing, or not any more. */
  find(token: string): ClientStream {
    const reserved = this.#byToken.get(token);
    if (reserved !== undefined) return reserved.stream;
    throw new Refusal(
      404,
      'There is no event stream with this token: it has ended, or was not opened in time, or another gateway has it. Reserve one with PUT.',
    );
  }

  /** Ends every stream as soon as no query or mutation runs on it. */
  drain(): void {
    for (const { stream } of [...this.#byToken.values()]) stream.drain();
  }

  /** Ends one of them so, if it is still there. */
  drainOne(token: string): void {
    this.#byToken.get(token)?.stream.drain();
  }

  #forget(token: string): void {
    const reserved = this.#byToken.get(token);
    if (reserved === undefined) return;
    this.#byToken.delete(token);
    const { client } = reserved;
    const left = (this.#countByClient.get(client) ?? 0) - 1;
    if (left > 0) this.#countByClient.set(client, left);
    else this.#countByClient.delete(client);
  }
}

function tooMany(limit: number, option: string): Refusal {
  const message =
    limit === 0
      ? `Event streams for several operations are off (${option}). Accept text/event-stream with each operation.`
      : `There are ${limit} event streams, the most that are allowed (${option}). Close one, or try again.`;
  return new Refusal(503, message, { code: 'OVERLOADED', headers: { 'retry-after': '1' } });
}
