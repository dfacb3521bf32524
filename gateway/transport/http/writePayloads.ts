import type { ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import type { GraphQLFormattedError } from 'graphql';
import { ClientDisconnectedError } from '../../admission/httpError.ts';
import { GatewayShutdownError } from '../../errors.ts';
import { splitText } from '../../json/stringifyInSlices.ts';
import type { RequestRecord } from '../../telemetry/requestRecord.ts';
import { InactivityTimer } from '../../time/inactivityTimer.ts';
import type { RequestSignal } from '../../time/requestAbort.ts';
import { AbortableIterator } from '../streams/abortableIterator.ts';
import type { PayloadEncoding } from '../streams/payloadEncoding.ts';
import type { StreamSettings } from '../streams/streamSettings.ts';
import { isCounted, type UnreadBytes } from '../streams/unreadBytes.ts';
import { endOfChunks, framedChunk, takeOverChunking } from './chunkFraming.ts';
import { CompressedStream } from './compressedStream.ts';
import { type Compression, type ContentCoding, isCompressible, setContentCoding } from './compression.ts';
import { waitToWrite } from './waitToWrite.ts';
import { closeIfStalled, type ResponseHeaders, setReadTimeout, setStreamHeaders } from './writeResponse.ts';

export interface PayloadStreamOptions extends Omit<StreamSettings, 'maxUnreadBytes'> {
  readonly headers: ResponseHeaders;
  /** Compresses the stream; `undefined` for not at all. */
  readonly compression?: Compression | undefined;
  /** Of the connection; omitted where a client has few streams. */
  readonly unread?: (() => UnreadBytes) | undefined;
  /** Gets the payloads; omitted where nothing is recorded. */
  readonly record?: RequestRecord | undefined;
  /** Ends the stream with an error or `goAway`; without a write when the reason is a `ClientDisconnectedError`. */
  readonly signal: RequestSignal;
  /** Called when the opening was sent immediately, unless the stream is compressed: complete chunks may be written past
   *  `writePayloads` now. Returns a function for when the last one was written, in milliseconds of `timers`. */
  readonly startDirectWrites?: () => () => number;
  /** Formats the error that the client gets when the payloads throw or the signal is aborted. */
  readonly formatFailure: (reason: unknown) => GraphQLFormattedError;
}

/** The payloads failed before anything was written, including the head. */
export class NoFirstPayloadError extends Error {
  constructor(cause: unknown) {
    super('The payloads failed before the first one.', { cause });
    this.name = 'NoFirstPayloadError';
  }
}

/** Writes payloads as they arrive, each batch in one write. However the payloads end, the body ends as its encoding
 *  requires: clients discard the data they have when the end is missing. Resolves when everything is written or the client
 *  has disconnected, without waiting for `return()` of the payloads.
 *  @throws {NoFirstPayloadError} */
export async function writePayloads<Payload>(
  response: ServerResponse,
  payloads: AsyncIterator<readonly Payload[]>,
  encoding: PayloadEncoding<Payload>,
  options: PayloadStreamOptions,
): Promise<void> {
  const { signal, bufferSize, readTimeoutMs } = options;
  const steps = new AbortableIterator(payloads, signal);
  const body = new PayloadBody(response, encoding, options);
  try {
    if (encoding.sendsOpeningImmediately && !signal.aborted) {
      body.send(body.open());
      body.startDirectWrites();
    }
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
      // A chunk that waits could be overtaken by events that are written directly.
      else if (encoding.sendsOpeningImmediately) body.send(chunk);
      else await body.sendInRow(chunk);
      // Not after every payload: at an abort, the payloads that are there already are still written.
      if (body.written !== undefined && body.uncompressedLength > bufferSize)
        await steps.waitFor(body.written);
      if (!body.hasEnded && response.writableNeedDrain && response.writableLength > bufferSize) {
        setReadTimeout(response, readTimeoutMs, 'drain');
        await steps.waitFor(waitForDrain(response));
      }
      if (!body.hasEnded) body.release();
    }
  } catch (error) {
    if (!body.hasStarted) throw new NoFirstPayloadError(error);
    const isReconnectWanted = error instanceof GatewayShutdownError && encoding.goAway !== undefined;
    body.end(isReconnectWanted ? (encoding.goAway as string) : encoding.fail(options.formatFailure(error)));
  } finally {
    body.stopHeartbeat();
    steps.end();
    steps.release();
    await body.written;
    // All that is left to do is the client's: to read what waits.
    closeIfStalled(response, readTimeoutMs);
  }
}

class PayloadBody<Payload> {
  hasStarted = false;
  hasEnded = false;
  /** Resolves when everything is written to the response. Only of a compressed body: others are written at once. */
  written: Promise<void> | undefined;
  readonly #response: ServerResponse;
  readonly #encoding: PayloadEncoding<Payload>;
  readonly #options: PayloadStreamOptions;
  #heartbeat: InactivityTimer | undefined;
  #isWithinPayload = false;
  #directlyWrittenAtMs: (() => number) | undefined;
  #compressed: CompressedStream | undefined;
  #framesChunks = false;
  /** Ends the count of the present payloads in `unread`. */
  release: () => void = () => undefined;
  #releasesAtClose = false;

  constructor(response: ServerResponse, encoding: PayloadEncoding<Payload>, options: PayloadStreamOptions) {
    this.#response = response;
    this.#encoding = encoding;
    this.#options = options;
  }

  /** Bytes that wait to be compressed. */
  get uncompressedLength(): number {
    return this.#compressed?.length ?? 0;
  }

  startDirectWrites(): void {
    if (this.#compressed === undefined) this.#directlyWrittenAtMs = this.#options.startDirectWrites?.();
  }

  /** Writes the head, and returns the opening for the caller to send. Returns an empty text after the first call. */
  open(): string {
    if (this.hasStarted) return '';
    const coding = writeStreamHead(
      this.#response,
      this.#encoding,
      this.#options.headers,
      this.#options.compression,
    );
    // Not before: a plugin may have added a header that cannot be sent.
    this.hasStarted = true;
    if (coding !== undefined) this.#compressed = new CompressedStream(this.#response, coding);
    // With an opening that is sent at once, `ChunkWriter` may have to do it.
    else if (!this.#encoding.sendsOpeningImmediately) this.#framesChunks = takeOverChunking(this.#response);
    this.#startHeartbeat();
    return this.#encoding.opening;
  }

  /** Encodes a batch. Ignores payloads after the last one. If too much waits for the client already, ends the body with an
   *  error instead. */
  encodeChunk(payloads: readonly Payload[]): string {
    if (this.hasEnded || payloads.length === 0) return '';
    const { record, formatFailure } = this.#options;
    let text = '';
    let hasLast = false;
    for (const payload of payloads) {
      const encoded = this.#encoding.encode(payload);
      text += encoded.text;
      hasLast = encoded.isLast;
      if (hasLast) break;
    }
    try {
      if (isCounted(text.length)) this.#count(text.length);
    } catch (error) {
      // Not an error status, even if nothing was written: the client may send the operation again, which was executed.
      this.end(this.#encoding.fail(formatFailure(error)));
      return '';
    }
    const opening = this.open();
    record?.addPayload(0);
    this.hasEnded = hasLast;
    return opening + text;
  }

  /** @throws {GatewayError} As `UnreadBytes.add`. */
  #count(size: number): void {
    const { unread } = this.#options;
    if (unread === undefined || this.#response.destroyed) return;
    this.release = unread().add(size);
    if (this.#releasesAtClose) return;
    this.#releasesAtClose = true;
    this.#response.once('close', () => this.release());
  }

  send(chunk: string): void {
    if (chunk === '') return;
    this.#heartbeat?.recordActivity();
    this.#write(chunk);
  }

  /** Sends a small chunk in a row with those of other responses. */
  async sendInRow(chunk: string): Promise<void> {
    this.#isWithinPayload = true;
    await waitToWrite(chunk.length);
    this.#isWithinPayload = false;
    this.send(chunk);
  }

  #write(chunk: string): void {
    if (this.#compressed === undefined) this.#writeUncompressed(chunk, this.hasEnded);
    else {
      this.#addBytes(Buffer.byteLength(chunk));
      this.written = this.hasEnded ? this.#compressed.end(chunk) : this.#compressed.write(chunk);
    }
  }

  #writeUncompressed(text: string, isEnd: boolean): void {
    const length = Buffer.byteLength(text);
    this.#addBytes(length);
    // ASCII, which is written faster as Latin-1 than as UTF-8.
    const encoding = length === text.length ? 'latin1' : 'utf8';
    const chunk = this.#framesChunks && length > 0 ? framedChunk(text, length) : text;
    if (!isEnd) this.#response.write(chunk, encoding);
    else this.#response.end(this.#framesChunks ? chunk + endOfChunks : chunk, encoding);
  }

  #addBytes(length: number): void {
    const { record } = this.#options;
    if (record !== undefined) record.bytes += length;
  }

  /** Sends a large chunk in several writes, one per turn of the event loop: encoding it as UTF-8 takes long. */
  async sendInSlices(chunk: string): Promise<void> {
    this.#isWithinPayload = true;
    for (const part of splitText(chunk)) {
      if (this.#response.destroyed) return;
      if (this.#compressed === undefined) this.#writeUncompressed(part, false);
      else {
        this.#addBytes(Buffer.byteLength(part));
        await this.#compressed.write(part);
      }
      await setImmediate();
    }
    this.#isWithinPayload = false;
    this.#heartbeat?.recordActivity();
    if (this.hasEnded) this.#write('');
  }

  /** Ends the body with a chunk, which may be empty. Does nothing when the body has ended. */
  end(chunk: string): void {
    if (this.hasEnded) return;
    const opening = this.open();
    this.hasEnded = true;
    this.#write(opening + chunk);
  }

  #startHeartbeat(): void {
    const { heartbeat } = this.#encoding;
    if (heartbeat === undefined) return;
    this.#heartbeat = new InactivityTimer({
      timers: this.#options.timers,
      intervalMs: this.#options.heartbeatIntervalMs,
      activeAtMs: () => this.#directlyWrittenAtMs?.() ?? 0,
      onIdle: () => {
        // A heartbeat in the middle of a payload would corrupt it, and one before the last payload would end the body.
        if (this.#isWithinPayload) return;
        // A client that does not read would only get more bytes to buffer.
        if (!this.#response.writableNeedDrain) this.#write(heartbeat);
      },
    });
  }

  stopHeartbeat(): void {
    this.#heartbeat?.stop();
  }
}

/** Writes the head of a response whose body is written in several parts. Returns how the body must be compressed. */
export function writeStreamHead(
  response: ServerResponse,
  encoding: Pick<PayloadEncoding<never>, 'contentType' | 'headers'>,
  headers: ResponseHeaders,
  compression?: Compression,
): ContentCoding | undefined {
  setStreamHeaders(headers, encoding);
  const coding = compression !== undefined && isCompressible(headers) ? compression.coding : undefined;
  if (coding !== undefined) setContentCoding(headers, coding);
  response.writeHead(200, headers);
  return coding;
}

/** Characters above which a chunk is sent in several writes. */
const sliceThreshold = 1024 * 1024;

function waitForDrain(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => response.once('drain', resolve));
}
