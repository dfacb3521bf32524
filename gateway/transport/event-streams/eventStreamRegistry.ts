import { HttpError } from '../../admission/httpError.ts';
import { EventStream, type EventStreamSettings } from './eventStream.ts';

interface EventStreamRegistryOptions extends EventStreamSettings {
  /** Most streams at a time, reserved ones included; 0 for none. */
  readonly maxStreams: number;
  /** Most of these that one client has. */
  readonly maxStreamsPerClient: number;
  readonly isDraining: () => boolean;
  /** Makes tokens, which are not to be guessed. */
  readonly newToken: () => string;
}

interface Registration {
  readonly stream: EventStream;
  readonly clientKey: string;
}

/** The event streams on which clients have several operations each, by the tokens that lead to them. */
export class EventStreamRegistry {
  readonly #options: EventStreamRegistryOptions;
  readonly #byToken = new Map<string, Registration>();
  readonly #countByClient = new Map<string, number>();

  constructor(options: EventStreamRegistryOptions) {
    this.#options = options;
  }

  /** Reserves a stream for a client; returns its token, which is all that leads to it. Throws a `Refusal` (503) where
   *  there are as many as may be. */
  reserve(client: string): string {
    const { maxStreams, maxStreamsPerClient, isDraining, newToken, ...settings } = this.#options;
    if (isDraining()) {
      throw new HttpError(503, 'The gateway is shutting down. Try again.', { code: 'REQUEST_ABORTED' });
    }
    if (this.#byToken.size >= maxStreams) throw limitReachedError(maxStreams, 'limits.eventStreams');
    const count = this.#countByClient.get(client) ?? 0;
    if (count >= maxStreamsPerClient)
      throw limitReachedError(maxStreamsPerClient, 'limits.eventStreamsPerClient');
    const token = newToken();
    const stream = new EventStream({ ...settings, onEnd: () => this.#remove(token) });
    this.#byToken.set(token, { stream, clientKey: client });
    this.#countByClient.set(client, count + 1);
    return token;
  }

  /** Throws a `Refusal` (404) for a token that leads to nothing, or not any more. */
  find(token: string): EventStream {
    const reserved = this.#byToken.get(token);
    if (reserved !== undefined) return reserved.stream;
    throw new HttpError(
      404,
      'There is no event stream with this token: it has ended, or was not opened in time, or another gateway has it. Reserve one with PUT.',
    );
  }

  /** Ends every stream as soon as no query or mutation runs on it. */
  drain(): void {
    for (const { stream } of [...this.#byToken.values()]) stream.drain();
  }

  /** Ends one of them so, if it is still there. */
  drainStream(token: string): void {
    this.#byToken.get(token)?.stream.drain();
  }

  #remove(token: string): void {
    const reserved = this.#byToken.get(token);
    if (reserved === undefined) return;
    this.#byToken.delete(token);
    const { clientKey } = reserved;
    const left = (this.#countByClient.get(clientKey) ?? 0) - 1;
    if (left > 0) this.#countByClient.set(clientKey, left);
    else this.#countByClient.delete(clientKey);
  }
}

function limitReachedError(limit: number, option: string): HttpError {
  const message =
    limit === 0
      ? `Event streams for several operations are off (${option}). Accept text/event-stream with each operation.`
      : `There are ${limit} event streams, the most that are allowed (${option}). Close one, or try again.`;
  return new HttpError(503, message, { code: 'OVERLOADED', headers: { 'retry-after': '1' } });
}
