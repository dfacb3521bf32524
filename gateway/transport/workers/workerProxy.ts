import {
  createServer,
  type IncomingMessage,
  METHODS,
  request as openRequest,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { ClientDisconnectedError, HttpError, shuttingDownError } from '../../admission/httpError.ts';
import { GatewayShutdownError } from '../../errors.ts';
import type { TransportLog } from '../../telemetry/logger.ts';
import { toAbortSignal } from '../../time/requestAbort.ts';
import { endConnection } from '../http/http2Messages.ts';
import type { InFlightRequests } from '../http/inFlightRequests.ts';
import { writeRejection } from '../http/writeResponse.ts';
import { ProxiedRequest, workerHeaders } from './proxiedRequest.ts';
import { maxProxiedHeaderSize, proxyRequest } from './proxyRequest.ts';
import type { WorkerCalls } from './workerCalls.ts';
import { socketPathOf, type WorkerIdentity, workerOf } from './workerIdentity.ts';

interface WorkerProxyOptions {
  readonly worker: WorkerIdentity;
  /** Answers the calls of other workers. Default: there are none. */
  readonly calls?: WorkerCalls | undefined;
  /** The id in a request about a resource that only one worker has. */
  readonly resourceIdOf: (request: IncomingMessage) => string | undefined;
  /** Drains an event stream of this worker. */
  readonly drainStream: (token: string) => void;
  readonly inFlight: InFlightRequests;
  readonly readTimeoutMs: number;
  readonly isShuttingDown: () => boolean;
  readonly isDraining: () => boolean;
  readonly log: TransportLog;
}

/** The methods that HTTP/1.1 between workers can have. HTTP/2 accepts any name. */
const proxiedMethods: ReadonlySet<string> = new Set(METHODS);

/** An event stream or another resource of another worker. */
interface RemoteResource {
  readonly owner: string;
  readonly id: string;
}

/** Proxies requests between the workers that share a port: sends a request about another worker's resource to that worker,
 *  and receives such requests on a private Unix socket. */
export class WorkerProxy {
  readonly #options: WorkerProxyOptions;
  /** Event streams of other workers whose clients are connected to this one. */
  readonly #streams = new Set<RemoteResource>();
  #server: Server | undefined;

  constructor(options: WorkerProxyOptions) {
    this.#options = options;
  }

  /** Wraps `handleLocally`, which also handles requests about resources of workers that are gone: to this worker, such an
   *  id is unknown. It also rejects methods that no route has, whichever worker has the resource. */
  createRequestListener(handleLocally: RequestListener): RequestListener {
    const { worker, resourceIdOf, inFlight } = this.#options;
    this.#server = createServer(
      {
        IncomingMessage: ProxiedRequest,
        maxHeaderSize: maxProxiedHeaderSize,
        // The timeouts of the worker that the client is connected to apply.
        headersTimeout: 0,
        requestTimeout: 0,
        // A client of HTTP/1.0 may send none.
        requireHostHeader: false,
        shouldUpgradeCallback: () => false,
      },
      (request: ProxiedRequest, response) => this.#receive(request, response, handleLocally),
    );
    this.#server.on('connection', (socket) => inFlight.watch(socket));
    return (request, response) => {
      const id = proxiedMethods.has(request.method ?? '') ? resourceIdOf(request) : undefined;
      const owner = id === undefined ? undefined : workerOf(id);
      if (id === undefined || owner === undefined || owner === worker.name) handleLocally(request, response);
      else void this.#proxy(request, response, { owner, id }, handleLocally);
    };
  }

  /** Resolves when other workers can reach this one, from the first call on; rejects when the socket cannot be created. */
  async listen(): Promise<void> {
    const { worker } = this.#options;
    const server = this.#server;
    if (server?.listening) return;
    await new Promise<void>((resolve, reject) => {
      server?.once('error', reject);
      // The system's maximum: beyond the backlog, a Unix socket refuses connections at once, unlike TCP.
      server?.listen({ path: socketPathOf(worker, worker.name), backlog: 65_535 }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  }

  /** Asks other workers to drain the event streams whose clients are connected to this one. */
  drain(): void {
    for (const stream of this.#streams) this.#drainStream(stream);
  }

  /** Stops receiving requests of other workers. */
  async close(): Promise<void> {
    const server = this.#server;
    await new Promise<void>((resolve) => {
      // Called with an error when the server did not listen.
      server?.close(() => resolve());
      server?.closeAllConnections();
    });
  }

  #receive(request: ProxiedRequest, response: ServerResponse, handleLocally: RequestListener): void {
    const token = request.headers[workerHeaders.drainStream];
    if (token !== undefined) {
      this.#options.drainStream(String(token));
      response.writeHead(204).end();
      return;
    }
    if (this.#options.calls?.receive(request, response) === true) return;
    request.extractClientAddress();
    handleLocally(request, response);
  }

  async #proxy(
    request: IncomingMessage,
    response: ServerResponse,
    resource: RemoteResource,
    handleLocally: RequestListener,
  ): Promise<void> {
    const { worker, inFlight, readTimeoutMs, isShuttingDown } = this.#options;
    const inFlightRequest = inFlight.register(request.socket, response);
    const { signal } = inFlightRequest;
    try {
      const isResponded = await proxyRequest({
        request,
        response,
        socketPath: socketPathOf(worker, resource.owner),
        readTimeoutMs,
        signal: toAbortSignal(signal),
        isShuttingDown,
        onResponseHead: ({ headers }) => {
          if (headers['content-type']?.startsWith('text/event-stream') === true) this.#trackStream(resource);
        },
      });
      if (isResponded) return;
    } catch (error) {
      this.#respondWithError(response, signal.aborted ? signal.reason : error);
      return;
    } finally {
      this.#streams.delete(resource);
      inFlightRequest.end();
    }
    handleLocally(request, response);
  }

  #trackStream(stream: RemoteResource): void {
    this.#streams.add(stream);
    if (this.#options.isDraining()) this.#drainStream(stream);
  }

  /** Responds when proxying has failed. Does nothing for a client that has disconnected. */
  #respondWithError(response: ServerResponse, error: unknown): void {
    if (error instanceof ClientDisconnectedError) return;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const isShuttingDown = error instanceof GatewayShutdownError;
    if (!isShuttingDown)
      this.#options.log.error({ err: error }, 'Proxying a request to another worker failed');
    const httpError = isShuttingDown ? shuttingDownError() : workerUnreachableError();
    writeRejection(response, httpError, endConnection(response));
  }

  #drainStream({ owner, id }: RemoteResource): void {
    const drainRequest = openRequest({
      socketPath: socketPathOf(this.#options.worker, owner),
      agent: false,
      method: 'POST',
      headers: { [workerHeaders.drainStream]: id },
    });
    drainRequest.on('response', (response) => response.resume());
    // The worker is gone, and the stream with it.
    drainRequest.on('error', () => {});
    drainRequest.end();
  }
}

function workerUnreachableError(): HttpError {
  return new HttpError(503, 'A worker of the gateway could not reach another worker. Try again.', {
    code: 'OVERLOADED',
  });
}
