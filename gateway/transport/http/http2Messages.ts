import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import {
  Http2ServerRequest as CompatibleRequest,
  Http2ServerResponse as CompatibleResponse,
  constants,
  type ServerHttp2Stream,
} from 'node:http2';

type StreamHeaders = ConstructorParameters<typeof CompatibleRequest>[1];

/** A request over HTTP/2 whose headers are those of the same request over HTTP/1.1: no pseudo headers, and a `host`. */
export class Http2Request extends CompatibleRequest {
  constructor(stream: ServerHttp2Stream, received: StreamHeaders, options: object, rawReceived: string[]) {
    super(stream, received, options, rawReceived as never);
    const headers: IncomingHttpHeaders = {};
    const rawHeaders: string[] = [];
    for (const name in received) if (!name.startsWith(':')) headers[name] = received[name] as string;
    for (let at = 0; at < rawReceived.length; at += 2) {
      const [name = '', value = ''] = [rawReceived[at], rawReceived[at + 1]];
      if (!name.startsWith(':') && name !== 'host') rawHeaders.push(name, value);
    }
    const authority = received[':authority'] ?? received.host;
    if (authority !== undefined) {
      headers.host = authority;
      rawHeaders.push('host', authority);
    }
    // Hides the accessors of the base class, which itself reads the pseudo headers.
    Object.defineProperties(this, { headers: { value: headers }, rawHeaders: { value: rawHeaders } });
  }
}

/** node:http2 reports what is sent in pieces of this size. Larger ones would take slow connections too long. In bytes. */
const pieceSize = 64 * 1024;

/** A response over HTTP/2 with what `node:http2` leaves out of its compatibility API. */
export class Http2Response extends CompatibleResponse {
  static {
    Object.defineProperty(Http2Response.prototype, 'destroyed', {
      get(this: Http2Response) {
        return this.stream.destroyed;
      },
    });
  }

  #unreadTimer: NodeJS.Timeout | undefined;
  readonly #onSent = (): void => void this.#unreadTimer?.refresh();

  /** Ends this stream when its client takes nothing of what waits for it for `timeoutMs`; other requests on the connection
   *  continue. Timeouts of node:http2 start anew whenever the connection sends something, such as the response to a PING. */
  limitUnread(timeoutMs: number): void {
    this.#unreadTimer = setTimeout(cancelIfUnread, timeoutMs, this.stream);
    this.stream.once('close', () => clearTimeout(this.#unreadTimer));
  }

  override write(chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean {
    const { stream } = this;
    if (typeof encoding === 'function') return this.write(chunk, undefined, encoding);
    const onSent = (callback ?? this.#onSent) as never;
    if (stream.writableLength === 0) this.#unreadTimer?.refresh();
    if (stream.writableLength + chunk.length <= pieceSize)
      return super.write(chunk, encoding as never, onSent);
    // Otherwise node:http2 would send everything that waits as one piece.
    Object.assign(stream, { _writev: null });
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding as BufferEncoding) : chunk;
    const last = bytes.length - pieceSize;
    let at = 0;
    for (; at < last; at += pieceSize) super.write(bytes.subarray(at, at + pieceSize), this.#onSent as never);
    return super.write(bytes.subarray(at), onSent);
  }

  /** Closes the connection when its requests have ended (GOAWAY): the client opens another one for further requests. */
  closeConnection(): void {
    this.stream.session?.close();
  }
}

function cancelIfUnread(stream: ServerHttp2Stream): void {
  if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
}

/** Ends the connection after this response, and returns the header that says so. HTTP/2 has no such header: its connection
 *  closes when its requests have ended. */
export function endConnection(response: ServerResponse): { readonly connection?: 'close' } {
  const version2 = asHttp2(response);
  if (version2 === undefined) return { connection: 'close' };
  version2.closeConnection();
  return {};
}

/** The stream of a request over HTTP/2. */
export function http2StreamOf(request: IncomingMessage): ServerHttp2Stream | undefined {
  return (request as unknown) instanceof Http2Request
    ? (request as unknown as Http2Request).stream
    : undefined;
}

function asHttp2(response: ServerResponse): Http2Response | undefined {
  return (response as unknown) instanceof Http2Response ? (response as unknown as Http2Response) : undefined;
}
