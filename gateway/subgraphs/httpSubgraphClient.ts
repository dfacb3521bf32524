import { GatewayError } from '../errors.ts';
import { unreachableError } from './callErrors.ts';
import { callLimitsOf } from './callLimits.ts';
import { CallQueue } from './callQueue.ts';
import type { CallQueueObserver } from './callQueueObserver.ts';
import { HttpCall } from './httpCall.ts';
import { type CallOutcome, type CallStartContext, InFlightCalls, urgencyOf } from './inFlightCalls.ts';
import type {
  CancelSubgraphCall,
  SubgraphClient,
  SubgraphReceiver,
  SubgraphRequest,
} from './subgraphClient.ts';
import { type SubgraphEndpoint, SubgraphPools, type SubgraphTarget } from './subgraphPools.ts';

/** One HTTP call that is over. */
export interface SubgraphCallEvent {
  readonly subgraph: string;
  readonly kind: 'query' | 'mutation';
  /** Of the request that led; others may have joined it. */
  readonly requestId: string;
  /** `answered` also where the answer holds GraphQL errors. */
  readonly outcome: CallOutcome;
  /** `undefined` if no answer began. */
  readonly status: number | undefined;
  readonly durationMs: number;
  /** Body bytes as they came over the wire. */
  readonly receivedBytes: number;
  /** How many requests waited for this call. */
  readonly receivers: number;
  /** The request went out a second time after a lost idle connection. */
  readonly isResent: boolean;
}

export interface HttpSubgraphClientOptions {
  /** Asked for every request, so that a new supergraph needs no new client. */
  endpointOf(subgraph: string): SubgraphEndpoint;
  /** Equal queries in flight share one call. */
  readonly sharesInFlightCalls: boolean;
  /** Milliseconds on the clock of `SubgraphRequest.deadline`; `performance.now` when omitted. */
  readonly now?: (() => number) | undefined;
  /** Returns what stops the timer; `setTimeout` when omitted. */
  readonly setTimer?: ((fire: () => void, delayMs: number) => () => void) | undefined;
  readonly onCall?: ((event: SubgraphCallEvent) => void) | undefined;
  /** Of calls that wait for their turn. */
  readonly queueObserver?: CallQueueObserver | undefined;
  /** A receiver or `onCall` threw. A process warning when omitted. */
  readonly onReceiverFault?: ((fault: unknown) => void) | undefined;
}

/** What `onCall` needs to know of a call, kept only where somebody listens. */
class ObservedCall extends HttpCall {
  readonly request: SubgraphRequest;
  readonly startedAt: number;

  constructor(request: SubgraphRequest, startedAt: number, ...call: ConstructorParameters<typeof HttpCall>) {
    super(...call);
    this.request = request;
    this.startedAt = startedAt;
  }
}

/** A client over keep-alive pools. Answers and failures never arrive before `send` has returned. */
export function createHttpSubgraphClient(options: HttpSubgraphClientOptions): SubgraphClient {
  return new HttpSubgraphClient(options);
}

class HttpSubgraphClient implements SubgraphClient {
  readonly #endpointOf: (subgraph: string) => SubgraphEndpoint;
  readonly #sharesInFlightCalls: boolean;
  readonly #now: () => number;
  readonly #isObserved: boolean;
  readonly #pools = new SubgraphPools();
  readonly #inFlightCalls: InFlightCalls<HttpCall>;
  readonly #queueObserver: CallQueueObserver | undefined;
  readonly #queues = new Map<string, { endpoint: SubgraphEndpoint; readonly queue: CallQueue }>();
  #closing: Promise<void> | undefined;

  constructor(options: HttpSubgraphClientOptions) {
    const { onCall } = options;
    this.#endpointOf = options.endpointOf;
    this.#sharesInFlightCalls = options.sharesInFlightCalls;
    this.#now = options.now ?? (() => performance.now());
    this.#isObserved = onCall !== undefined;
    this.#queueObserver = options.queueObserver;
    this.#inFlightCalls = new InFlightCalls<HttpCall>({
      now: this.#now,
      setTimer: options.setTimer ?? startTimer,
      onReceiverFault: options.onReceiverFault ?? emitFaultWarning,
      onCallEnd:
        onCall === undefined
          ? undefined
          : (call, outcome, receivers) => {
              if (call instanceof ObservedCall) onCall(this.#eventOf(call, outcome, receivers));
            },
    });
  }

  send(request: SubgraphRequest, receiver: SubgraphReceiver): CancelSubgraphCall {
    if (this.#closing !== undefined)
      return this.#inFlightCalls.reject(receiver, clientClosedError(request.subgraph));
    let endpoint: SubgraphEndpoint;
    let target: SubgraphTarget;
    try {
      endpoint = this.#endpointOf(request.subgraph);
      target = this.#pools.targetOf(endpoint, request.isDeferred);
    } catch (cause) {
      const options = { subgraph: request.subgraph, cause };
      const message = 'The request to a subgraph could not be made.';
      return this.#inFlightCalls.reject(
        receiver,
        new GatewayError('INTERNAL_SERVER_ERROR', message, options),
      );
    }
    const { deadline, isDeferred } = request;
    return this.#inFlightCalls.send({
      key: this.#isSharable(request) ? sharingKey(request, endpoint.url) : undefined,
      subgraph: request.subgraph,
      attemptTimeoutMs: endpoint.attemptTimeoutMs,
      deadline,
      urgency: urgencyOf(request),
      raisablePriorities: request.raisablePriorities,
      queue: this.#queueOf(request.subgraph, endpoint),
      receiver,
      createCall: (start) =>
        this.#createCall(
          request,
          endpoint,
          start.isDeferred === isDeferred ? target : this.#pools.targetOf(endpoint, start.isDeferred),
          start,
        ),
    });
  }

  #queueOf(subgraph: string, endpoint: SubgraphEndpoint): CallQueue {
    const known = this.#queues.get(subgraph);
    if (known === undefined) {
      const limits = callLimitsOf(endpoint);
      const queue = new CallQueue({ subgraph, limits, observer: this.#queueObserver, now: this.#now });
      this.#queues.set(subgraph, { endpoint, queue });
      return queue;
    }
    if (known.endpoint !== endpoint) {
      known.endpoint = endpoint;
      known.queue.limits = callLimitsOf(endpoint);
    }
    return known.queue;
  }

  #isSharable({ kind, body, accept }: SubgraphRequest): boolean {
    return (
      this.#sharesInFlightCalls &&
      kind === 'query' &&
      accept === undefined &&
      body.length <= maxSharedBodyLength
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    // Whoever is told of the end and sends again must find the client closed.
    await null;
    this.#inFlightCalls.failAll(clientClosedError);
    await this.#pools.destroy(new Error('the client was closed'));
  }

  #createCall(
    request: SubgraphRequest,
    endpoint: SubgraphEndpoint,
    target: SubgraphTarget,
    { deadline }: CallStartContext,
  ): HttpCall {
    const now = this.#now();
    const call = {
      subgraph: request.subgraph,
      target,
      headers: headersOf(request, target.acceptsCompressed, deadline - now),
      body: request.body,
      maxResponseBytes: endpoint.maxResponseBytes,
      isIdempotent: request.kind === 'query',
    };
    return this.#isObserved ? new ObservedCall(request, now, call) : new HttpCall(call);
  }

  #eventOf(call: ObservedCall, outcome: CallOutcome, receivers: number): SubgraphCallEvent {
    const { subgraph, kind, requestId } = call.request;
    return {
      subgraph,
      kind,
      requestId,
      outcome,
      status: call.status,
      durationMs: this.#now() - call.startedAt,
      receivedBytes: call.receivedBytes,
      receivers,
      isResent: call.isResent,
    };
  }
}

/** To find equals of a longer body takes longer than it is worth: all of it has to be read. */
const maxSharedBodyLength = 1024 * 1024;

/** Everything that may change the answer. Lengths keep the parts apart whatever they hold. */
function sharingKey({ subgraph, headers, body }: SubgraphRequest, url: string): string {
  const { key } = headers;
  return `${subgraph.length}:${subgraph}${url.length}:${url}${key.length}:${key}${body}`;
}

function headersOf(request: SubgraphRequest, acceptsCompressed: boolean, left: number): string[] {
  // A number of whole milliseconds that never says more than there is, and never 0, which reads as "none".
  const leftMs = Math.max(1, Math.floor(left));
  const headers = [
    'content-type',
    'application/json',
    'accept',
    request.accept ?? 'application/graphql-response+json, application/json;q=0.9',
    'x-request-id',
    request.requestId,
    ...request.headers.pairs,
  ];
  if (Number.isFinite(leftMs)) headers.push('tributary-deadline-ms', String(leftMs));
  if (request.traceparent !== undefined) headers.push('traceparent', request.traceparent);
  if (acceptsCompressed) headers.push('accept-encoding', 'gzip, br');
  return headers;
}

function clientClosedError(subgraph: string): GatewayError {
  return unreachableError(subgraph, new Error('the client was closed'));
}

function startTimer(fire: () => void, delayMs: number): () => void {
  const timer = setTimeout(fire, delayMs);
  return () => clearTimeout(timer);
}

function emitFaultWarning(fault: unknown): void {
  process.emitWarning(fault instanceof Error ? fault : String(fault));
}
