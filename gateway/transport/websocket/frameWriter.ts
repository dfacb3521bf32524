import type { Socket } from 'node:net';
import { MessageType } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Broadcast, DirectWriter, SubscriptionPayload } from '../../response/subscriptionEvents.ts';
import type { RequestRecord } from '../../telemetry/requestRecord.ts';
import type { StreamSettings } from '../streams/streamSettings.ts';

interface FrameWriterOptions extends Pick<StreamSettings, 'bufferSize'> {
  readonly socket: WebSocket;
  /** The connection of the socket. */
  readonly connection: Socket;
  /** Of the operation; chosen by the client. */
  readonly id: string;
  readonly record: RequestRecord | undefined;
}

/** Writes payloads as complete WebSocket frames to the connection. Clients whose ids have the same length share the bytes:
 *  only the id is written for each client. `socket.send` encodes the message for each client, and writes its frame as two
 *  buffers. Clients for which bytes wait are left to `socket.send`. */
export class FrameWriter implements DirectWriter {
  readonly #options: FrameWriterOptions;
  readonly #idBytes: Buffer;

  constructor(options: FrameWriterOptions) {
    this.#options = options;
    this.#idBytes = Buffer.from(JSON.stringify(options.id));
  }

  write(broadcast: Broadcast): boolean {
    const { socket, connection, bufferSize, record } = this.#options;
    if (connection.writableLength > 0 || socket.readyState !== WebSocket.OPEN) return false;
    const frames = broadcast.encodedAs(sharedFrames, createSharedFrames);
    const bytes = frames.withId(this.#idBytes);
    if (bytes.length > bufferSize) return false;
    if (record !== undefined) {
      for (const { text } of broadcast.payloads) record.checkEvent(text);
      record.addPayload(frames.contentLength);
    }
    connection.write(bytes);
    // The connection still needs the bytes that it has not sent.
    if (connection.writableLength > 0) frames.release(this.#idBytes);
    return true;
  }
}

/** Identifies the encoding in a broadcast. */
const sharedFrames = {};

function createSharedFrames(payloads: readonly SubscriptionPayload[]): SharedFrames {
  return new SharedFrames(payloads);
}

interface FrameTemplate {
  readonly bytes: Buffer;
  readonly idOffsets: readonly number[];
}

/** The frames of payloads, one after the other, for ids of each length. */
class SharedFrames {
  /** Bytes of the payloads alone. */
  readonly contentLength: number;
  readonly #payloads: readonly Buffer[];
  readonly #templates: (FrameTemplate | undefined)[] = [];

  constructor(payloads: readonly SubscriptionPayload[]) {
    this.#payloads = payloads.map(({ text }) => Buffer.from(text));
    this.contentLength = this.#payloads.reduce((sum, { length }) => sum + length, 0);
  }

  /** The frames with this id. The bytes are valid until the next call. */
  withId(idBytes: Buffer): Buffer {
    const template = this.#templates[idBytes.length] ?? this.#createTemplate(idBytes.length);
    this.#templates[idBytes.length] = template;
    const { bytes, idOffsets } = template;
    for (const offset of idOffsets) bytes.set(idBytes, offset);
    return bytes;
  }

  /** Leaves the bytes that `withId` returned to their owner: the next call returns others. */
  release(idBytes: Buffer): void {
    this.#templates[idBytes.length] = undefined;
  }

  #createTemplate(idLength: number): FrameTemplate {
    const parts: Buffer[] = [];
    const idOffsets: number[] = [];
    let offset = 0;
    for (const payload of this.#payloads) {
      const contentLength = beforeId.length + idLength + afterId.length + payload.length + end.length;
      const header = createFrameHeader(contentLength);
      idOffsets.push(offset + header.length + beforeId.length);
      parts.push(header, beforeId, Buffer.alloc(idLength), afterId, payload, end);
      offset += header.length + contentLength;
    }
    return { bytes: Buffer.concat(parts), idOffsets };
  }
}

// As operationMessagesOf writes it.
const beforeId = Buffer.from('{"id":');
const afterId = Buffer.from(`,"type":"${MessageType.Next}","payload":`);
const end = Buffer.from('}');

/** The header of a complete text message from a server (RFC 6455, section 5.2). */
function createFrameHeader(length: number): Buffer {
  const finalTextFrame = 0x81;
  if (length < 126) return Buffer.from([finalTextFrame, length]);
  if (length < 65_536) return Buffer.from([finalTextFrame, 126, length >> 8, length & 0xff]);
  const header = Buffer.alloc(10);
  header[0] = finalTextFrame;
  header[1] = 127;
  header.writeUIntBE(length, 4, 6);
  return header;
}
