import DataLoader from 'dataloader';
import type { GatewayError } from '../errors.ts';
import { TextMap } from '../sharing/textMap.ts';
import {
  type CallPriority,
  mostUrgent,
  mostUrgentRequest,
  type RaisablePriority,
  type RequestPriority,
} from '../subgraphs/policies/callPriority.ts';
import type {
  CancelSubgraphCall,
  SubgraphClient,
  SubgraphReceiver,
  SubgraphResponse,
} from '../subgraphs/subgraphClient.ts';
import { AdaptiveBatchSize } from './adaptiveBatchSize.ts';
import { BatchableRequest, type SentBatch, settleAll } from './batchableRequest.ts';
import { type FetchCall, toFailedResult } from './fetchCall.ts';
import type { EntityRequest } from './fetchSender.ts';
import { FusedShape } from './fetchShape.ts';
import { RepresentationBatch } from './representationBatch.ts';
import { sharingKeyFor } from './requestContext.ts';
import { isPlainObject } from './responseTree.ts';

export interface EntityFetchBatcherOptions {
  /** Batches equal fetches of several client requests (batching.acrossRequests). */
  readonly acrossRequests: boolean;
  /** Maximum number of representations in a batch of several requests (batching.maxBatchSize). A fetch of one request is
   *  never divided. */
  readonly maxBatchSize: number;
}

/** Sends entity fetches: those of one operation in one HTTP request, and with `acrossRequests` those of several operations
 *  with equal shapes, variables and forwarded headers. */
export class EntityFetchBatcher {
  readonly #client: SubgraphClient;
  readonly #options: EntityFetchBatcherOptions;
  readonly #fusedShapes = new Map<string, FusedShape>();
  /** By subgraph. */
  readonly #loaders = new Map<string, DataLoader<BatchableRequest, undefined>>();
  /** By subgraph. */
  readonly #batchSizes = new Map<string, AdaptiveBatchSize>();

  constructor(client: SubgraphClient, options: EntityFetchBatcherOptions) {
    this.#client = client;
    this.#options = options;
  }

  send(request: EntityRequest): CancelSubgraphCall {
    const pending = new BatchableRequest(request, this.#fuse(request.calls));
    if (!this.#options.acrossRequests) {
      this.#sendBatch([pending]);
      return () => pending.cancel();
    }
    void this.#loaderOf(pending.fused.subgraph).load(pending);
    return () => pending.cancel();
  }

  #loaderOf(subgraph: string): DataLoader<BatchableRequest, undefined> {
    let loader = this.#loaders.get(subgraph);
    if (loader === undefined) {
      loader = new DataLoader<BatchableRequest, undefined>(
        async (requests) => {
          this.#sendTogether(requests);
          return requests.map(() => undefined);
        },
        // Batches the requests of one turn of the event loop, and delays none of them further.
        { cache: false, batchScheduleFn: (callback) => setImmediate(callback) },
      );
      this.#loaders.set(subgraph, loader);
    }
    return loader;
  }

  /** Sends requests to one subgraph, those with equal batch keys in one HTTP request. */
  #sendTogether(requests: readonly BatchableRequest[]): void {
    if (requests.length === 1) {
      this.#sendBatch(requests);
      return;
    }
    for (const sameShape of Map.groupBy(requests, ({ fused }) => fused).values())
      for (const group of groupByBatchKey(sameShape))
        for (const part of this.#splitIntoBatches(group)) this.#sendBatch(part);
  }

  /** Splits requests into batches that the subgraph answers in time. */
  #splitIntoBatches(requests: readonly BatchableRequest[]): BatchableRequest[][] {
    const parts: BatchableRequest[][] = [];
    let part: BatchableRequest[] = [];
    let size = 0;
    const maxSize = this.#batchSizeOf(requests[0] as BatchableRequest).current;
    for (const request of requests) {
      if (part.length > 0 && size + request.size > maxSize) {
        parts.push(part);
        part = [];
        size = 0;
      }
      part.push(request);
      size += request.size;
    }
    if (part.length > 0) parts.push(part);
    return parts;
  }

  #batchSizeOf({ fused: { subgraph } }: BatchableRequest): AdaptiveBatchSize {
    let size = this.#batchSizes.get(subgraph);
    if (size === undefined) {
      size = new AdaptiveBatchSize(this.#options.maxBatchSize);
      this.#batchSizes.set(subgraph, size);
    }
    return size;
  }

  #sendAndWait(requests: readonly BatchableRequest[]): Promise<void> {
    return new Promise((resolve) => this.#sendBatch(requests, resolve));
  }

  /** Sends requests with equal batch keys as one HTTP request. `onEnd` may be called more than once. */
  #sendBatch(requests: readonly BatchableRequest[], onEnd?: () => void): void {
    const waiting = requests.some(isCancelled)
      ? requests.filter((request) => !request.isCancelled)
      : requests;
    if (waiting.length === 0) onEnd?.();
    else new EntityCall(waiting, this, onEnd).send(this.#client);
  }

  /** Learns from the end of a batch. */
  onBatch(first: BatchableRequest, size: number, outcome: 'answered' | 'timeout'): void {
    // Without batches across requests, none is ever divided.
    if (this.#options.acrossRequests) this.#batchSizeOf(first).onBatch(size, outcome);
  }

  /** Sends the fetches of these requests in one request for each shape. */
  async sendSeparately(requests: readonly BatchableRequest[]): Promise<void> {
    const open = requests.filter((request) => !request.isCancelled);
    const separate = open.map((request) => {
      const parts = request.calls.map(
        (call) =>
          new BatchableRequest(
            { calls: [call], requestContext: request.requestContext, onDone() {} },
            this.#fuse([call]),
          ),
      );
      const onCancel = (): void => {
        for (const part of parts) part.cancel();
      };
      request.sentIn = { onCancel };
      return parts;
    });
    const [first = []] = separate;
    await Promise.all(
      first.map((_, n) => this.#sendAndWait(separate.map((parts) => parts[n] as BatchableRequest))),
    );
    for (const request of open) request.finish();
  }

  #fuse(calls: readonly FetchCall[]): FusedShape {
    const only = calls.length === 1 ? calls[0] : undefined;
    if (only !== undefined) return FusedShape.ofSingle(only.shape);
    const key = calls.map((call) => call.shape.id).join(' ');
    let fused = this.#fusedShapes.get(key);
    if (fused === undefined || fused.shapes.some((shape, n) => shape !== calls[n]?.shape)) {
      if (this.#fusedShapes.size >= maxFusedShapes) this.#fusedShapes.clear();
      fused = new FusedShape(calls.map((call) => call.shape));
      this.#fusedShapes.set(key, fused);
    }
    return fused;
  }
}

/** Which fetches are ready together depends on timing, so that there may be many combinations. Beyond this number all are
 *  dropped. */
const maxFusedShapes = 1000;

function groupByBatchKey(requests: readonly BatchableRequest[]): readonly (readonly BatchableRequest[])[] {
  if (requests.length === 1) return [requests];
  const groups: BatchableRequest[][] = [];
  const byKey = new TextMap<BatchableRequest[]>();
  for (const request of requests) {
    const key = request.batchKey();
    const group = byKey.get(key);
    if (group !== undefined) {
      group.push(request);
      continue;
    }
    const first = [request];
    byKey.set(key, first);
    groups.push(first);
  }
  return groups;
}

/** One HTTP request for the entity fetches of one or more client requests, from when it is sent to its end. */
class EntityCall implements SubgraphReceiver, SentBatch {
  readonly #requests: readonly BatchableRequest[];
  readonly #first: BatchableRequest;
  readonly #batcher: EntityFetchBatcher;
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
    batcher: EntityFetchBatcher,
    onEnd: (() => void) | undefined,
  ) {
    this.#requests = requests;
    this.#first = requests[0] as BatchableRequest;
    this.#batcher = batcher;
    this.#onEnd = onEnd;
    this.#fused = this.#first.fused;
    this.#batch = new RepresentationBatch(requests);
    this.#open = requests.length;
  }

  send(client: SubgraphClient): void {
    const requests = this.#requests;
    const { requestContext, headers, isDeferred } = this.#first;
    const { subgraph, coordinates } = this.#fused;
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
    this.#batcher.onBatch(this.#first, this.#batch.size, 'answered');
    // One `_entities` that fails as a whole fails the others of the request. Sent separately, these succeed, unless
    // the status says that the subgraph itself has failed: it would only get more calls.
    const hasFailed = (response.failureStatus ?? 0) >= 500;
    if (this.#fused.shapes.length > 1 && !isPlainObject(response.data) && !hasFailed) {
      this.#sendSeparately();
      return;
    }
    const { clientHeaders } = response;
    if (clientHeaders !== undefined)
      for (const { requestContext } of this.#requests)
        requestContext.respondedHeaders?.collect(this.#fused.subgraph, clientHeaders);
    this.#batch.settle(this.#fused, response, () => this.#finish());
  }

  onError(error: GatewayError): void {
    if (error.code === 'SUBGRAPH_TIMEOUT') this.#batcher.onBatch(this.#first, this.#batch.size, 'timeout');
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
    void this.#batcher.sendSeparately(this.#requests).then(this.#onEnd);
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

function hasSpan({ span }: BatchableRequest): boolean {
  return span !== undefined;
}

function isCancelled(request: BatchableRequest): boolean {
  return request.isCancelled;
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
    urgency.priority = mostUrgent(urgency.priority, request.priority);
    urgency.requestPriority = mostUrgentRequest(urgency.requestPriority, request.requestPriority);
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
