import type { GatewayError } from '../errors.ts';
import { isObject } from '../json/isObject.ts';
import {
  type CallPriority,
  higherPriority,
  higherRequestPriority,
  type RaisablePriority,
  type RequestPriority,
} from '../subgraphs/policies/callPriority.ts';
import type {
  CancelSubgraphCall,
  SubgraphClient,
  SubgraphReceiver,
  SubgraphResponse,
} from '../subgraphs/subgraphClient.ts';
import { type BatchableRequest, type SentBatch, settleAll } from './batchableRequest.ts';
import { toFailedResult } from './fetchCall.ts';
import type { FusedShape } from './fetchShape.ts';
import { RepresentationBatch } from './representationBatch.ts';
import { sharingKeyFor } from './requestContext.ts';

export interface EntityCallObserver {
  /** The call has ended. `size`: its representations. */
  onBatch(first: BatchableRequest, size: number, outcome: 'completed' | 'timeout'): void;
  /** The fetches of the call, or its requests, fail together, and perhaps not each by itself. Resolves when they have
   *  ended. */
  sendSeparately(requests: readonly BatchableRequest[]): Promise<void>;
}

/** One HTTP request for the entity fetches of one or more client requests, from when it is sent to its end. */
export class EntityCall implements SubgraphReceiver, SentBatch {
  readonly #requests: readonly BatchableRequest[];
  readonly #first: BatchableRequest;
  readonly #observer: EntityCallObserver;
  readonly #onEnd: (() => void) | undefined;
  readonly #fused: FusedShape;
  readonly #batch: RepresentationBatch;
  /** Requests that were not cancelled. */
  #open: number;
  #cancelCall: CancelSubgraphCall | undefined;
  #stopWatching: (() => void) | undefined;

  /** `requests`: at least one, with equal batch keys. */
  constructor(
    requests: readonly BatchableRequest[],
    observer: EntityCallObserver,
    onEnd: (() => void) | undefined,
  ) {
    this.#requests = requests;
    this.#first = requests[0] as BatchableRequest;
    this.#observer = observer;
    this.#onEnd = onEnd;
    this.#fused = this.#first.fused;
    this.#batch = new RepresentationBatch(requests);
    this.#open = requests.length;
  }

  send(client: SubgraphClient): void {
    const requests = this.#requests;
    const { requestContext, headers, isDeferred } = this.#first;
    const { subgraph, coordinates, keepsDecimals } = this.#fused;
    // The others of the batch join the first one that is recorded.
    const traced = requests.find(hasSpan);
    if (traced !== undefined)
      for (const request of requests) if (request !== traced) request.span?.onJoin(traced.span);
    const { priority, requestPriority, deadline, earliestDeadline } = urgencyOf(requests);
    if (earliestDeadline < deadline) this.#stopWatching = startDeadlineTimer(requests, deadline);
    for (const request of requests) request.sentIn = this;
    this.#cancelCall = client.send(
      {
        subgraph,
        body: this.#batch.body(this.#fused),
        kind: 'query',
        representations: this.#batch.size,
        headers,
        coordinates,
        keepsDecimals,
        sharingKey: sharingKeyFor(requestContext, subgraph),
        isDeferred,
        priority,
        raisablePriorities: raisablePrioritiesOf(requests),
        requestPriority,
        requestId: requestContext.requestId,
        traceHeaders: requestContext.traceHeaders,
        span: traced?.span,
        deadline,
        earliestDeadline,
      },
      this,
    );
  }

  onResponse(response: SubgraphResponse): void {
    this.#observer.onBatch(this.#first, this.#batch.size, 'completed');
    // One `_entities` that fails as a whole fails the others of the request, and one entity those of other clients. Sent
    // separately, these succeed, unless the status says that the subgraph refuses the client, or has failed itself: it
    // would only get more calls.
    const { failureStatus = 200 } = response;
    const isForAll = failureStatus === 401 || failureStatus === 429 || failureStatus >= 500;
    const hasSeveralShapes = this.#fused.shapes.length > 1;
    if (!isObject(response.data) && !isForAll && (hasSeveralShapes || this.#mayHaveFailedByOne(response))) {
      if (hasSeveralShapes) this.#fused.separateRequests = separateRequestsAfterFailure;
      this.#sendSeparately();
      return;
    }
    const { clientHeaders } = response;
    if (clientHeaders !== undefined)
      for (const { requestContext } of this.#requests)
        requestContext.responseHeaderCollector?.collect(this.#fused.subgraph, clientHeaders);
    this.#batch.settle(this.#fused, response, () => this.#finish());
  }

  onError(error: GatewayError): void {
    if (error.code === 'SUBGRAPH_TIMEOUT') this.#observer.onBatch(this.#first, this.#batch.size, 'timeout');
    // The circuit of one entity type is open. The others of the request succeed when they are sent separately.
    if (error.code === 'CIRCUIT_OPEN' && this.#fused.shapes.length > 1) this.#sendSeparately();
    else
      settleAll(
        this.#requests,
        () => toFailedResult(error),
        () => this.#finish(),
      );
  }

  onCancel(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    this.#cancelCall?.();
    this.#end();
  }

  #sendSeparately(): void {
    this.#stopWatching?.();
    void this.#observer.sendSeparately(this.#requests).then(this.#onEnd);
  }

  /** Whether an entity of one client may have failed those of the others. An error without a path is about the whole
   *  subgraph, as for the circuit breaker. */
  #mayHaveFailedByOne({ errors = [] }: SubgraphResponse): boolean {
    return (
      errors.some(({ path }) => path !== undefined) &&
      this.#requests.some(({ size }) => size < this.#batch.size)
    );
  }

  #finish(): void {
    for (const request of this.#requests) request.finish();
    this.#end();
  }

  #end(): void {
    this.#stopWatching?.();
    this.#onEnd?.();
  }
}

/** A fetch that fails always would otherwise cost two rounds of requests each time, and one request more than its share. */
const separateRequestsAfterFailure = 10;

function hasSpan({ span }: BatchableRequest): boolean {
  return span !== undefined;
}

interface BatchUrgency {
  priority: CallPriority;
  requestPriority: RequestPriority;
  deadline: number;
  earliestDeadline: number;
}

/** Of a batch: as urgent as its most urgent request. */
function urgencyOf(requests: readonly BatchableRequest[]): BatchUrgency {
  const { priority, requestPriority, deadline } = requests[0] as BatchableRequest;
  const urgency: BatchUrgency = { priority, requestPriority, deadline, earliestDeadline: deadline };
  for (let n = 1; n < requests.length; n++) {
    const request = requests[n] as BatchableRequest;
    urgency.priority = higherPriority(urgency.priority, request.priority);
    urgency.requestPriority = higherRequestPriority(urgency.requestPriority, request.requestPriority);
    urgency.deadline = Math.max(urgency.deadline, request.deadline);
    urgency.earliestDeadline = Math.min(urgency.earliestDeadline, request.deadline);
  }
  return urgency;
}

function raisablePrioritiesOf(
  requests: readonly BatchableRequest[],
): readonly RaisablePriority[] | undefined {
  let priorities: RaisablePriority[] | undefined;
  for (const { calls } of requests) {
    for (const { raisablePriority } of calls) {
      if (raisablePriority === undefined) continue;
      priorities ??= [];
      priorities.push(raisablePriority);
    }
  }
  return priorities;
}

/** Expires each request whose deadline is before `latest`, the deadline of the call. Returns a function that stops the
 *  timer. */
function startDeadlineTimer(requests: readonly BatchableRequest[], latest: number): () => void {
  let open = requests.filter((request) => request.deadline < latest);
  let timer: NodeJS.Timeout | undefined;
  arm();
  return () => clearTimeout(timer);

  function arm(): void {
    if (open.length === 0) return;
    const next = Math.min(...open.map((request) => request.deadline));
    timer = setTimeout(expire, Math.max(0, Math.ceil(next - performance.now())));
  }

  function expire(): void {
    const now = performance.now();
    const expired = open.filter((request) => request.deadline <= now);
    open = open.filter((request) => request.deadline > now);
    arm();
    for (const request of expired) request.expire();
  }
}
