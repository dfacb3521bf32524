import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import {
  Http2ServerRequest as CompatibleRequest,
  Http2ServerResponse as CompatibleResponse,
  constants,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';

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

/** A response over HTTP/2 with what `node:http2` leaves out of its compatibility API. */
export class Http2Response extends CompatibleResponse {
  static {
    Object.defineProperty(Http2Response.prototype, 'destroyed', {
      get(this: Http2Response) {
        return this.stream.destroyed;
      },
    });
  }

  #readTimeoutListener: (() => void) | undefined;

  /** See `setReadTimeout`. Ends this stream only: other requests on the connection may go on. */
  setReadTimeout(timeoutMs: number): void {
    const { stream } = this;
    if (this.#readTimeoutListener === undefined) {
      const onTimeout = (): void => stream.close(constants.NGHTTP2_CANCEL);
      this.#readTimeoutListener = onTimeout;
      stream.on('timeout', onTimeout);
    }
    stream.setTimeout(timeoutMs);
  }

  /** Closes the connection when its requests have ended (GOAWAY): the client opens another one for further requests. */
  closeConnection(): void {
    this.stream.session?.close();
  }
}

/** The header that ends the connection after this response. HTTP/2 has no such header: its connection ends by itself. */
export function connectionEnd(response: ServerResponse): { readonly connection?: 'close' } {
  const version2 = asHttp2(response);
  if (version2 === undefined) return { connection: 'close' };
  version2.closeConnection();
  return {};
}

/** Closes the connection, or only the HTTP/2 stream, when the client reads nothing for `timeoutMs`; 0 removes the
 *  timeout. */
export function setReadTimeout(response: ServerResponse, timeoutMs: number): void {
  const version2 = asHttp2(response);
  if (version2 === undefined) setSocketTimeout(response, timeoutMs);
  else version2.setReadTimeout(timeoutMs);
}

function setSocketTimeout(response: ServerResponse, timeoutMs: number): void {
  const { socket } = response;
  // A pipelined response has no socket until those before it are sent.
  if (socket === null) response.once('socket', () => setSocketTimeout(response, timeoutMs));
  // The socket of a request that a test injects (`inject` of Fastify) is a stream without timeouts.
  else if (socket?.setTimeout !== undefined) {
    // The HTTP server destroys a connection whose timeout fires.
    socket.setTimeout(timeoutMs);
    if (timeoutMs === 0) socket.resume();
    else pauseUntilSent(response, socket);
  }
}

/** Responses whose connection is read again when they have been sent, if not before. */
const pausing = new WeakSet<ServerResponse>();

/** Reads nothing from a client that does not read. For Node, what it sends is activity, too: an empty line now and then
 *  would keep the connection open, and the response in memory. */
function pauseUntilSent(response: ServerResponse, socket: Socket): void {
  // Many clients read a response only after they have sent their request.
  if (!response.req.complete) return;
  socket.pause();
  if (pausing.has(response)) return;
  pausing.add(response);
  response.prependOnceListener('finish', () => socket.resume());
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
