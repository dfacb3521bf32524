import {
  createServer,
  type IncomingMessage,
  request as openRequest,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import { GatewayShutdownError } from '../../errors.ts';
import type { TransportLog } from '../../telemetry/transportLog.ts';
import type { InFlightRequests } from '../http/inFlightRequests.ts';
import { writeErrorResponse } from '../http/writeResponse.ts';
import { ProxiedRequest, workerHeaders } from './proxiedRequest.ts';
import { maxProxiedHeaderSize, proxyRequest } from './proxyRequest.ts';
import { socketPathOf, type WorkerIdentity } from './workerIdentity.ts';
import { workerOf } from './workerIds.ts';

interface WorkerProxyOptions {
  readonly worker: WorkerIdentity;
  /** The id in a request for what a single worker has. */
  readonly resourceIdOf: (request: IncomingMessage) => string | undefined;
  /** Ends an event stream of this worker as soon as it can. */
  readonly drainStream: (token: string) => void;
  readonly inFlight: InFlightRequests;
  readonly isDraining: () => boolean;
  readonly log: TransportLog;
}

/** Something that another worker has. */
interface RemoteResource {
  readonly owner: string;
  readonly id: string;
}

/** Connects a worker with those that it shares the port with: a request that belongs to another one is passed on to it,
 *  and what others pass on is taken on a private socket. */
export class WorkerProxy {
  readonly #options: WorkerProxyOptions;
  /** Streams of others whose connections are here. */
  readonly #streams = new Set<RemoteResource>();
  #server: Server | undefined;

  constructor(options: WorkerProxyOptions) {
    this.#options = options;
  }

  /** Answers here what belongs here, and what belongs to a worker that is gone: this one knows as little of it as of
   *  an id that never was. */
  createRequestListener(answerHere: RequestListener): RequestListener {
    const { worker, resourceIdOf, inFlight } = this.#options;
    this.#server = createServer(
      {
        IncomingMessage: ProxiedRequest,
        maxHeaderSize: maxProxiedHeaderSize,
        // The client has its times at the worker that it is connected with.
        headersTimeout: 0,
        requestTimeout: 0,
        shouldUpgradeCallback: () => false,
      },
      (request: ProxiedRequest, response) => this.#receive(request, response, answerHere),
    );
    this.#server.on('connection', (socket) => inFlight.watch(socket));
    return (request, response) => {
      const id = resourceIdOf(request);
      const owner = id === undefined ? undefined : workerOf(id);
      if (id === undefined || owner === undefined || owner === worker.name) answerHere(request, response);
      else void this.#proxy(request, response, { owner, id }, answerHere);
    };
  }

  /** Resolves when others reach this worker; rejects where the socket cannot be made. */
  async listen(): Promise<void> {
    const { worker } = this.#options;
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server?.once('error', reject);
      // As many as the system lets wait: over that, a connection is refused and does not queue, as it would by TCP.
      server?.listen({ path: socketPathOf(worker, worker.name), backlog: 65_535 }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  }

  /** Has streams of other workers ended, whose clients are connected with this one. */
  drain(): void {
    for (const stream of this.#streams) this.#drainStream(stream);
  }

  /** Nothing is taken any more. */
  async close(): Promise<void> {
    const server = this.#server;
    await new Promise<void>((resolve) => {
      // The error says that it did not listen: then there is nothing to wait for.
      server?.close(() => resolve());
      server?.closeAllConnections();
    });
  }

  #receive(request: ProxiedRequest, response: ServerResponse, answerHere: RequestListener): void {
    const token = request.headers[workerHeaders.drainStream];
    if (token !== undefined) {
      this.#options.drainStream(String(token));
      response.writeHead(204).end();
      return;
    }
    request.extractClientAddress();
    answerHere(request, response);
  }

  async #proxy(
    request: IncomingMessage,
    response: ServerResponse,
    foreign: RemoteResource,
    answerHere: RequestListener,
  ): Promise<void> {
    const { worker, inFlight, isDraining } = this.#options;
    const flight = inFlight.begin(request.socket, response);
    const { signal } = flight;
    try {
      const isAnswered = await proxyRequest({
        request,
        response,
        socketPath: socketPathOf(worker, foreign.owner),
        signal,
        isDraining,
        onResponseHead: ({ headers }) => {
          if (headers['content-type']?.startsWith('text/event-stream') === true) this.#trackStream(foreign);
        },
      });
      if (isAnswered) return;
    } catch (error) {
      this.#respondWithError(response, signal.aborted ? signal.reason : error);
      return;
    } finally {
      this.#streams.delete(foreign);
      flight.end();
    }
    answerHere(request, response);
  }

  #trackStream(stream: RemoteResource): void {
    this.#streams.add(stream);
    if (this.#options.isDraining()) this.#drainStream(stream);
  }

  /** The answer where passing on has failed; nothing for a client that is gone. */
  #respondWithError(response: ServerResponse, error: unknown): void {
    if (error instanceof ClientDisconnectedError) return;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const isGoing = error instanceof GatewayShutdownError;
    if (!isGoing)
      this.#options.log.error({ err: error }, 'A request could not be passed on to another worker');
    const refusal = isGoing ? shuttingDownError() : workerUnreachableError();
    const headers = { 'cache-control': 'no-store', connection: 'close', ...refusal.headers };
    writeErrorResponse(response, refusal.status, undefined, headers, [refusal.toFormatted()]);
  }

  #drainStream({ owner, id }: RemoteResource): void {
    const order = openRequest({
      socketPath: socketPathOf(this.#options.worker, owner),
      agent: false,
      method: 'POST',
      headers: { [workerHeaders.drainStream]: id },
    });
    order.on('response', (answer) => answer.resume());
    // A worker that is gone has ended it.
    order.on('error', () => {});
    order.end();
  }
}

function shuttingDownError(): HttpError {
  return new HttpError(503, 'The gateway is shutting down. Try again.', { code: 'REQUEST_ABORTED' });
}

function workerUnreachableError(): HttpError {
  return new HttpError(503, 'One worker of the gateway could not reach another one. Try again.', {
    code: 'OVERLOADED',
    headers: { 'retry-after': '1' },
  });
}
