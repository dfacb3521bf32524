import { HttpError, shuttingDownError } from '../../admission/httpError.ts';
import type { ClientIdentity } from '../../admission/identity.ts';
import { ClientCounts } from '../../sharing/clientCounts.ts';
import { EventStream, type EventStreamSettings, unknownStreamError } from './eventStream.ts';

interface EventStreamRegistryOptions extends EventStreamSettings {
  /** Maximum number of streams, including reserved ones; 0 turns event streams off. */
  readonly maxStreams: number;
  /** Maximum number of streams of one client. */
  readonly maxStreamsPerClient: number;
  readonly isDraining: () => boolean;
  /** Makes an unguessable token. */
  readonly newToken: () => string;
}

/** The client that reserves a stream, or sends a request about one. */
type StreamClient = Pick<ClientIdentity, 'clientKey' | 'identity'>;

interface Registration {
  readonly stream: EventStream;
  readonly client: StreamClient;
}

/** The event streams of graphql-sse's single connection mode, by their tokens. */
export class EventStreamRegistry {
  readonly #options: EventStreamRegistryOptions;
  readonly #byToken = new Map<string, Registration>();
  readonly #counts = new ClientCounts();

  constructor(options: EventStreamRegistryOptions) {
    this.#options = options;
  }

  /** Reserves a stream for a client; returns its token, the only way to it. The stream of a client with an identity is of no
   *  use to others: the token may be in a URL, and so in the logs of proxies.
   *  @throws {HttpError} 503 at the limit of streams, and while the gateway shuts down. */
  reserve(client: StreamClient): string {
    const { maxStreams, maxStreamsPerClient, isDraining, newToken, ...settings } = this.#options;
    if (isDraining()) throw shuttingDownError();
    if (this.#byToken.size >= maxStreams) throw limitReachedError(maxStreams, 'limits.eventStreams');
    const { clientKey } = client;
    if (this.#counts.of(clientKey) >= maxStreamsPerClient)
      throw limitReachedError(maxStreamsPerClient, 'limits.eventStreamsPerClient');
    const token = newToken();
    const stream = new EventStream({ ...settings, onEnd: () => this.#remove(token) });
    this.#byToken.set(token, { stream, client });
    this.#counts.add(clientKey, 1);
    return token;
  }

  /** @throws {HttpError} 404 for an unknown token, and for that of another client. */
  find(token: string, { identity }: StreamClient): EventStream {
    const registration = this.#byToken.get(token);
    const owner = registration?.client.identity;
    if (registration !== undefined && (owner === undefined || owner === identity)) return registration.stream;
    throw unknownStreamError();
  }

  /** Closes every stream as soon as no query or mutation runs on it. */
  drain(): void {
    for (const { stream } of [...this.#byToken.values()]) stream.drain();
  }

  /** Does the same for one stream. Does nothing for an unknown token. */
  drainStream(token: string): void {
    this.#byToken.get(token)?.stream.drain();
  }

  #remove(token: string): void {
    const registration = this.#byToken.get(token);
    if (registration === undefined) return;
    this.#byToken.delete(token);
    this.#counts.add(registration.client.clientKey, -1);
  }
}

function limitReachedError(limit: number, option: string): HttpError {
  if (limit === 0) {
    return new HttpError(
      403,
      `Event streams for several operations are turned off (${option} is 0). Accept text/event-stream for each operation.`,
      { code: 'FORBIDDEN' },
    );
  }
  return new HttpError(
    503,
    `The number of event streams is at its maximum, ${limit} (${option}). Close a stream, or try again.`,
    { code: 'OVERLOADED' },
  );
}
