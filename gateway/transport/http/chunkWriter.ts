import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Broadcast, DirectWriter, SubscriptionPayload } from '../../response/subscriptionEvents.ts';
import type { RequestRecord } from '../../telemetry/requestRecord.ts';
import type { PayloadEncoding } from '../streams/payloadEncoding.ts';
import type { StreamSettings } from '../streams/streamSettings.ts';
import { framedChunk } from './chunkFraming.ts';

interface ChunkWriterOptions extends Pick<StreamSettings, 'bufferSize' | 'timers'> {
  readonly encoding: PayloadEncoding<SubscriptionPayload>;
  readonly record: RequestRecord | undefined;
}

/** Payloads as one chunk of a chunked HTTP/1.1 body. */
interface EncodedChunk {
  readonly bytes: Buffer;
  /** Bytes of the body in it. */
  readonly contentLength: number;
}

/** Writes payloads to the socket of a response, as one chunk whose bytes all clients with this encoding share.
 *  `response.write` encodes them for each client, and writes length, text and line end of a chunk as three buffers, which
 *  costs nearly as much CPU again as the system call. Clients for which bytes wait are left to `response.write`. */
export class ChunkWriter implements DirectWriter {
  readonly #response: ServerResponse;
  readonly #socket: Socket;
  readonly #options: ChunkWriterOptions;
  /** Whole milliseconds on the clock of `timers`: cheaper to store than a fraction. */
  #writtenAtMs = 0;

  private constructor(response: ServerResponse, socket: Socket, options: ChunkWriterOptions) {
    this.#response = response;
    this.#socket = socket;
    this.#options = options;
  }

  /** To be called after the head was sent. Returns `undefined` for a response that is not chunked, or that middleware of an
   *  application has changed. */
  static for(response: ServerResponse, options: ChunkWriterOptions): ChunkWriter | undefined {
    const { socket, chunkedEncoding } = response;
    const isChanged = response.write !== ServerResponse.prototype.write;
    return socket === null || !chunkedEncoding || isChanged
      ? undefined
      : new ChunkWriter(response, socket, options);
  }

  /** When a chunk was written, rounded down; 0 for never. */
  get writtenAtMs(): number {
    return this.#writtenAtMs;
  }

  write(broadcast: Broadcast): boolean {
    // The head, a heartbeat or an event may wait. Until the end of the turn, the response has its chunks, not the socket.
    if (this.#response.writableLength > 0) return false;
    const { encoding, record, bufferSize, timers } = this.#options;
    const { bytes, contentLength } = broadcast.encodedAs(encoding, encodeChunk);
    if (bytes.length > bufferSize) return false;
    if (record !== undefined) {
      for (const { text } of broadcast.payloads) record.checkEvent(text);
      record.addPayload(contentLength);
    }
    this.#writtenAtMs = Math.floor(timers.now());
    this.#socket.write(bytes);
    return true;
  }
}

function encodeChunk(
  payloads: readonly SubscriptionPayload[],
  encoding: PayloadEncoding<SubscriptionPayload>,
): EncodedChunk {
  let text = '';
  for (const payload of payloads) text += encoding.encode(payload).text;
  const contentLength = Buffer.byteLength(text);
  return { bytes: Buffer.from(framedChunk(text, contentLength)), contentLength };
}
