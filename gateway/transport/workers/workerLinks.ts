import {
  createServer,
  type IncomingMessage,
  request as openRequest,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { GoingAway } from '../goingAway.ts';
import { writeErrors } from '../http/answer.ts';
import type { InFlightRequests } from '../http/inFlight.ts';
import { ClientGone, Refusal } from '../refusal.ts';
import type { TransportLog } from '../transportLog.ts';
import { PassedOnRequest, workerHeaders } from './passedOnRequest.ts';
import { passedOnHeaderSize, passOn } from './passOn.ts';
import { workerIn } from './workerIds.ts';
import { socketPath, type WorkerPlace } from './workerPlace.ts';

export interface WorkerLinksOptions {
  readonly place: WorkerPlace;
  /** The id in a request for what a single worker has. */
  readonly idIn: (request: IncomingMessage) => string | undefined;
  /** Ends an event stream of this worker as soon as it can. */
  readonly drainStream: (token: string) => void;
  readonly inFlight: InFlightRequests;
  readonly isDraining: () => boolean;
  readonly log: TransportLog;
}

/** Something that another worker has. */
interface Foreign {
  readonly owner: string;
  readonly id: string;
}

/** Connects a worker with those that it shares the port with: a request that belongs to another one is passed on to it,
 *  and what others pass on is taken on a private socket. */
export class WorkerLinks {
  readonly #options: WorkerLinksOptions;
  /** Streams of others whose connections are here. */
  readonly #streams = new Set<Foreign>();
  #server: Server | undefined;

  constructor(options: WorkerLinksOptions) {
    this.#options = options;
  }

  /** Answers here what belongs here, and what belongs to a worker that is gone: this one knows as little of it as of
   *  an id that never was. */
  share(answerHere: RequestListener): RequestListener {
    const { place, idIn, inFlight } = this.#options;
    this.#server = createServer(
      {
        IncomingMessage: PassedOnRequest,
        maxHeaderSize: passedOnHeaderSize,
        // The client has its times at the worker that it is connected with.
        headersTimeout: 0,
        requestTimeout: 0,
        shouldUpgradeCallback: () => false,
      },
      (request: PassedOnRequest, response) => this.#take(request, response, answerHere),
    );
    this.#server.on('connection', (socket) => inFlight.watch(socket));
    return (request, response) => {
      const id = idIn(request);
      const owner = id === undefined ? undefined : workerIn(id);
      if (id === undefined || owner === undefined || owner === place.name) answerHere(request, response);
      else void this.#passOn(request, response, { owner, id }, answerHere);
    };
  }

  /** Resolves when others reach this worker; rejects where the socket cannot be made. */
  async listen(): Promise<void> {
    const { place } = this.#options;
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server?.once('error', reject);
      // As many as the system lets wait: over that, a connection is refused and does not queue, as it would by TCP.
      server?.listen({ path: socketPath(place, place.name), backlog: 65_535 }, () => {
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

  #take(request: PassedOnRequest, response: ServerResponse, answerHere: RequestListener): void {
    const token = request.headers[workerHeaders.drainStream];
    if (token !== undefined) {
      this.#options.drainStream(String(token));
      response.writeHead(204).end();
      return;
    }
    request.takeClientAddress();
    answerHere(request, response);
  }

  async #passOn(
    request: IncomingMessage,
    response: ServerResponse,
    foreign: Foreign,
    answerHere: RequestListener,
  ): Promise<void> {
    const { place, inFlight, isDraining } = this.#options;
    const flight = inFlight.begin(request.socket, response);
    const { signal } = flight;
    try {
      const isAnswered = await passOn({
        request,
        response,
        socketPath: socketPath(place, foreign.owner),
        signal,
        isDraining,
        onHead: ({ headers }) => {
          if (headers['content-type']?.startsWith('text/event-stream') === true) this.#noteStream(foreign);
        },
      });
      if (isAnswered) return;
    } catch (error) {
      this.#answerFailure(response, signal.aborted ? signal.reason : error);
      return;
    } finally {
      this.#streams.delete(foreign);
      flight.end();
    }
    answerHere(request, response);
  }

  #noteStream(stream: Foreign): void {
    this.#streams.add(stream);
    if (this.#options.isDraining()) this.#drainStream(stream);
  }

  /** The answer where passing on has failed; nothing for a client that is gone. */
  #answerFailure(response: ServerResponse, error: unknown): void {
    if (error instanceof ClientGone) return;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const isGoing = error instanceof GoingAway;
    if (!isGoing)
      this.#options.log.error({ err: error }, 'A request could not be passed on to another worker');
    const refusal = isGoing ? shuttingDown() : notPassedOn();
    const headers = { 'cache-control': 'no-store', connection: 'close', ...refusal.headers };
    writeErrors(response, refusal.status, undefined, headers, [refusal.toFormatted()]);
  }

  #drainStream({ owner, id }: Foreign): void {
    const order = openRequest({
      socketPath: socketPath(this.#options.place, owner),
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

function shuttingDown(): Refusal {
  return new Refusal(503, 'The gateway is shutting down. Try again.', { code: 'REQUEST_ABORTED' });
}

function notPassedOn(): Refusal {
  return new Refusal(503, 'One worker of the gateway could not reach another one. Try again.', {
    code: 'OVERLOADED',
    headers: { 'retry-after': '1' },
  });
}
