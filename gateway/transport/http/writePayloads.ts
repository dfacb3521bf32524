import type { ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import type { GraphQLFormattedError } from 'graphql';
import { ClientDisconnectedError } from '../../admission/httpError.ts';
import { GatewayShutdownError } from '../../errors.ts';
import { splitText } from '../../json/stringifyInSlices.ts';
import type { Timers } from '../../time/timers.ts';
import { AbortableIterator } from '../streams/abortableIterator.ts';
import { HeartbeatTimer } from '../streams/heartbeatTimer.ts';
import type { PayloadEncoding } from '../streams/payloadEncoding.ts';
import type { ResponseHeaders } from './writeResponse.ts';

export interface PayloadStreamOptions {
  readonly headers: ResponseHeaders;
  /** Bytes that may wait for a client that reads slowly before the next payloads are asked for. */
  readonly bufferSize: number;
  /** Milliseconds that they may wait without any of them being taken; then the connection is closed. */
  readonly readTimeoutMs: number;
  /** Milliseconds after which a quiet connection gets a sign of life, where the encoding has one. */
  readonly heartbeatIntervalMs: number;
  readonly timers: Timers;
  /** Ends the stream: silently when the reason is `ClientDisconnectedError`, else with what the encoding has for that. */
  readonly signal: AbortSignal;
  /** The error that the client gets when the payloads throw, or when the signal ends them. */
  readonly formatFailure: (reason: unknown) => GraphQLFormattedError;
}

/** The payloads threw before anything was written, the head included. */
export class NoFirstPayloadError extends Error {
  constructor(cause: unknown) {
    super('The payloads ended before the first one.', { cause });
    this.name = 'NoFirstPayloadError';
  }
}

/** Writes batches of payloads as they come, each batch in one write. Whatever happens to the payloads, the body ends
 *  as its encoding wants it: clients drop what they have got when the end is missing. Resolves when all is written or
 *  the client is gone, without waiting for `return()` of the payloads. */
export async function writePayloads<Payload>(
  response: ServerResponse,
  payloads: AsyncIterator<readonly Payload[]>,
  encoding: PayloadEncoding<Payload>,
  options: PayloadStreamOptions,
): Promise<void> {
  const { signal } = options;
  const steps = new AbortableIterator(payloads, signal);
  const body = new PayloadBody(response, encoding, options);
  try {
    if (encoding.sendsOpeningImmediately && !signal.aborted) body.send(body.open());
    while (!body.hasEnded) {
      const step = await steps.next();
      if (step === 'aborted') {
        if (!(signal.reason instanceof ClientDisconnectedError)) throw signal.reason;
        return;
      }
      if (step.done === true) {
        body.end(encoding.end());
        return;
      }
      const chunk = body.encodeChunk(step.value);
      if (chunk.length > sliceThreshold) await body.sendInSlices(chunk);
      else body.send(chunk);
      if (!body.hasEnded && response.writableNeedDrain && response.writableLength > options.bufferSize) {
        // A reader that takes nothing for that long is gone.
        response.socket?.setTimeout(options.readTimeoutMs);
        await steps.waitFor(waitForDrain(response));
        response.socket?.setTimeout(0);
      }
    }
    steps.end();
  } catch (error) {
    if (!body.hasStarted) throw new NoFirstPayloadError(error);
    const isGoingAway = error instanceof GatewayShutdownError && encoding.goAway !== undefined;
    body.end(isGoingAway ? (encoding.goAway as string) : encoding.fail(options.formatFailure(error)));
  } finally {
    body.stopHeartbeat();
    steps.release();
  }
}

class PayloadBody<Payload> {
  hasStarted = false;
  hasEnded = false;
  readonly #response: ServerResponse;
  readonly #encoding: PayloadEncoding<Payload>;
  readonly #options: PayloadStreamOptions;
  #heartbeatTimer: HeartbeatTimer | undefined;

  constructor(response: ServerResponse, encoding: PayloadEncoding<Payload>, options: PayloadStreamOptions) {
    this.#response = response;
    this.#encoding = encoding;
    this.#options = options;
  }

  /** Writes the head; the opening is the caller's to send. Nothing where that was done before. */
  open(): string {
    if (this.hasStarted) return '';
    this.hasStarted = true;
    writeStreamHead(this.#response, this.#encoding, this.#options.headers);
    this.#startHeartbeat();
    return this.#encoding.opening;
  }

  /** What these payloads are on the wire, up to the last one. */
  encodeChunk(payloads: readonly Payload[]): string {
    if (this.hasEnded || payloads.length === 0) return '';
    let chunk = this.open();
    for (const payload of payloads) {
      const { text, isLast } = this.#encoding.encode(payload);
      chunk += text;
      this.hasEnded = isLast;
      if (isLast) break;
    }
    return chunk;
  }

  send(chunk: string): void {
    if (chunk === '') return;
    this.#heartbeatTimer?.recordActivity();
    if (this.hasEnded) this.#response.end(chunk);
    else this.#response.write(chunk);
  }

  /** The same in several writes, with others having their turn in between: to encode some megabytes takes a while. */
  async sendInSlices(chunk: string): Promise<void> {
    // A sign of life in the middle of a payload would break it.
    this.stopHeartbeat();
    for (const part of splitText(chunk)) {
      if (this.#response.destroyed) return;
      this.#response.write(part);
      await setImmediate();
    }
    if (this.hasEnded) this.#response.end();
    else this.#startHeartbeat();
  }

  /** Ends the body with a chunk that may be empty; nothing where it has ended before. */
  end(chunk: string): void {
    if (this.hasEnded) return;
    const opening = this.open();
    this.hasEnded = true;
    this.#response.end(opening + chunk);
  }

  #startHeartbeat(): void {
    const { heartbeat } = this.#encoding;
    if (heartbeat === undefined) return;
    this.#heartbeatTimer = new HeartbeatTimer({
      timers: this.#options.timers,
      intervalMs: this.#options.heartbeatIntervalMs,
      // For one who does not read, it would only be more that waits.
      onIdle: () => {
        if (!this.#response.writableNeedDrain) this.#response.write(heartbeat);
      },
    });
  }

  stopHeartbeat(): void {
    this.#heartbeatTimer?.stop();
    this.#heartbeatTimer = undefined;
  }
}

/** Writes the head of an answer whose body follows piece by piece. */
export function writeStreamHead(
  response: ServerResponse,
  encoding: Pick<PayloadEncoding<never>, 'contentType' | 'headers'>,
  headers: ResponseHeaders,
): void {
  Object.assign(headers, encoding.headers);
  headers['content-type'] = encoding.contentType;
  response.writeHead(200, headers);
}

/** Characters of a chunk that is sent in several writes. */
const sliceThreshold = 1024 * 1024;

function waitForDrain(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => response.once('drain', resolve));
}
