import { type IncomingMessage, maxHeaderSize, type RequestListener, type Server } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { HttpError } from '../../admission/httpError.ts';
import type { TransportLog } from '../../telemetry/logger.ts';
import { ProblemLog } from '../../telemetry/problemLog.ts';
import type { Certificates } from '../../tls/certificates.ts';
import { Http2Request, Http2Response, http2StreamOf } from './http2Messages.ts';
import type { ListenerTimeouts } from './listenerTimeouts.ts';
import { writeRejection } from './writeResponse.ts';

/** The certificate of a listener, and the authorities of its clients. */
export type ListenerCertificates = Pick<Certificates, 'ofListener' | 'onChange'>;

interface TlsServerOptions {
  readonly certificates: ListenerCertificates;
  readonly timeouts: ListenerTimeouts;
  /** See `Http2Response.limitUnread`. */
  readonly readTimeoutMs: number;
  /** Options of the HTTP/1.1 server. */
  readonly http: object;
  readonly acceptsUpgrade: (request: IncomingMessage) => boolean;
  readonly log: Pick<TransportLog, 'warn'>;
}

/** A server with TLS for HTTP/2, and HTTP/1.1 for clients that do not speak it. */
export interface TlsServer {
  /** Handles requests of both versions in the API of `node:http`. */
  readonly server: Server;
  /** Closes all connections. */
  destroy(): void;
}

/** Limits of an HTTP/2 connection. Clients that exceed them lose it. */
const http2Limits = {
  settings: { maxConcurrentStreams: 100, maxHeaderListSize: maxHeaderSize, enableConnectProtocol: false },
  // Streams that the client resets at once ("rapid reset"): as many at once, and per second. A page that is closed resets
  // all of its streams.
  streamResetBurst: 100,
  streamResetRate: 33,
  maxSessionInvalidFrames: 100,
  // As many as with HTTP/1.1. Node's default is 128, and browsers send each cookie as a header of its own.
  maxHeaderListPairs: 2_000,
  // In MB: no limit, as with HTTP/1.1. Responses that wait for the client count, and Node's default of 10 would make one of
  // them refuse all other requests of the connection.
  maxSessionMemory: 2 ** 32 - 1,
} as const;

export function createTlsServer(
  { certificates, timeouts, readTimeoutMs, http, acceptsUpgrade, log }: TlsServerOptions,
  listener: RequestListener,
): TlsServer {
  const options = {
    ...http,
    ...http2Limits,
    ...certificates.ofListener(),
    allowHTTP1: true,
    handshakeTimeout: timeouts.headers,
    requestCert: certificates.ofListener()?.ca !== undefined,
    rejectUnauthorized: true,
    Http2ServerRequest: Http2Request,
    Http2ServerResponse: Http2Response,
  };
  const secure = createSecureServer(options as never, (request, response) => {
    const [message, reply] = [request as unknown as IncomingMessage, response as never];
    const stream = http2StreamOf(message);
    if (stream !== undefined) {
      limitRequestTime(stream, reply, timeouts.request);
      (response as Http2Response).limitUnread(readTimeoutMs);
    }
    listener(message, reply);
  });
  Object.assign(secure, { shouldUpgradeCallback: acceptsUpgrade });
  secure.on('session', (session) => closeWhenIdle(session, timeouts.keepAlive));
  secure.on('secureConnection', (socket) => destroyIfHalfOpen(socket, timeouts.keepAlive));
  logRefusedCertificates(secure, log);
  const sockets = new Set<Socket>();
  secure.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  certificates.onChange(() => secure.setSecureContext({ ...certificates.ofListener() }));
  return {
    server: secure as unknown as Server,
    destroy() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Logs once a minute for each reason that clients are refused because of their certificates: no request is logged for them,
 *  and they see a closed connection. */
function logRefusedCertificates(server: Http2SecureServer, log: TlsServerOptions['log']): void {
  const message = 'A client was refused because of its certificate (listen.tls.ca)';
  const refusals = new ProblemLog({ log, now: Date.now, message });
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException, { authorizationError }: TLSSocket) => {
    if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') refusals.report('no certificate');
    // The code of OpenSSL, such as `CERT_HAS_EXPIRED`. Node then only reports that the connection was closed.
    else if (authorizationError) refusals.report(String(authorizationError));
  });
}

/** Closes an HTTP/2 connection without requests after `keepAliveMs`, as node:http does with others. A timeout of node:http2
 *  calls its callback once only, perhaps during a request. */
function closeWhenIdle(session: ServerHttp2Session, keepAliveMs: number): void {
  let openStreams = 0;
  const timer = setTimeout(() => {
    if (openStreams === 0) session.close();
  }, keepAliveMs).unref();
  session.once('close', () => clearTimeout(timer));
  session.on('stream', (stream: ServerHttp2Stream) => {
    openStreams += 1;
    stream.once('close', () => {
      openStreams -= 1;
      timer.refresh();
    });
  });
}

/** Destroys a connection that the gateway has closed if its client does not close its side, too: node:http2 waits for the
 *  client, and each such connection would take a file descriptor. */
function destroyIfHalfOpen(socket: Socket, timeoutMs: number): void {
  socket.once('finish', () => {
    const timer = setTimeout(() => socket.destroy(), timeoutMs).unref();
    socket.once('close', () => clearTimeout(timer));
  });
}

/** Responds with 408 to a request over HTTP/2 that does not arrive in time, as node:http does with others. */
function limitRequestTime(
  stream: ServerHttp2Stream,
  response: Parameters<RequestListener>[1],
  timeoutMs: number,
): void {
  if (stream.endAfterHeaders) return;
  const timer = setTimeout(() => {
    if (!response.headersSent) {
      const error = new HttpError(
        408,
        'The request did not arrive in time (listen.timeouts). Send it again.',
      );
      writeRejection(response, error);
    }
    stream.close();
  }, timeoutMs);
  const cancel = (): void => clearTimeout(timer);
  stream.once('end', cancel);
  stream.once('close', cancel);
}
