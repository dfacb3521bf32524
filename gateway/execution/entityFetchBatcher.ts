import DataLoader from 'dataloader';
import { TextMap } from '../sharing/textMap.ts';
import {
  type CallPriority,
  mostUrgent,
  mostUrgentRequest,
  type RaisablePriority,
  type RequestPriority,
} from '../subgraphs/policies/callPriority.ts';
import type { CancelSubgraphCall, SubgraphClient } from '../subgraphs/subgraphClient.ts';
import { AdaptiveBatchSize } from './adaptiveBatchSize.ts';
import { BatchableRequest, settleAll } from './batchableRequest.ts';
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
      void this.#sendBatch([pending]);
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
      void this.#sendBatch(requests);
      return;
    }
    for (const sameShape of Map.groupBy(requests, ({ fused }) => fused).values())
      for (const group of groupByBatchKey(sameShape))
        for (const part of this.#splitIntoBatches(group)) void this.#sendBatch(part);
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

  /** One HTTP request for requests with equal batch keys. */
  #sendBatch(requests: readonly BatchableRequest[]): Promise<void> {
    // Most batches are the fetch of one request: nothing here creates a list for it.
    const waiting = requests.some(isCancelled)
      ? requests.filter((request) => !request.isCancelled)
      : requests;
    const first = waiting[0];
    if (first === undefined) return Promise.resolve();
    // The others of the batch join the first one that is recorded.
    const traced = waiting.find(({ span }) => span !== undefined);
    if (traced !== undefined)
      for (const request of waiting) if (request !== traced) request.span?.onJoin(traced.span);
    const { fused } = first;
    const { subgraph } = fused;
    const batch = new RepresentationBatch(waiting);
    const urgency = urgencyOf(waiting);
    const { deadline, earliestDeadline } = urgency;
    return new Promise((resolve) => {
      let open = waiting.length;
      let cancelCall: CancelSubgraphCall | undefined;
      const stopWatching = earliestDeadline < deadline ? startDeadlineTimer(waiting, deadline) : watchNothing;
      // Not assigned as a literal: it would keep the request in memory (docs/decisions/0056).
      const onCancel = (): void => {
        open -= 1;
        if (open > 0) return;
        stopWatching();
        cancelCall?.();
        resolve();
      };
      for (const request of waiting) request.onCancel = onCancel;
      const sendSeparately = (): void => {
        stopWatching();
        void this.#sendSeparately(waiting).then(resolve);
      };
      cancelCall = this.#client.send(
        {
          subgraph,
          body: batch.body(fused),
          kind: 'query',
          representations: batch.size,
          headers: first.requestContext.headersFor(subgraph),
          coordinates: fused.coordinates,
          sharingKey: sharingKeyFor(first.requestContext, subgraph),
          isDeferred: first.isDeferred,
          priority: urgency.priority,
          raisablePriorities: raisablePrioritiesOf(waiting),
          requestPriority: urgency.requestPriority,
          requestId: first.requestContext.requestId,
          traceHeaders: first.requestContext.traceHeaders,
          span: traced?.span,
          deadline,
          earliestDeadline,
        },
        {
          onResponse: (response) => {
            this.#batchSizeOf(first).onBatch(batch.size, 'answered');
            // One `_entities` that fails as a whole fails the others of the request. Sent separately, these succeed, unless
            // the status says that the subgraph itself has failed: it would only get more calls.
            const hasFailed = (response.failureStatus ?? 0) >= 500;
            if (fused.shapes.length > 1 && !isPlainObject(response.data) && !hasFailed) {
              sendSeparately();
              return;
            }
            const { clientHeaders } = response;
            if (clientHeaders !== undefined)
              for (const { requestContext } of waiting)
                requestContext.respondedHeaders?.collect(subgraph, clientHeaders);
            batch.settle(fused, response, finish);
          },
          onError: (error) => {
            if (error.code === 'SUBGRAPH_TIMEOUT') this.#batchSizeOf(first).onBatch(batch.size, 'timeout');
            // The circuit of one entity type is open. The others of the request succeed when they are sent separately.
            if (error.code === 'CIRCUIT_OPEN' && fused.shapes.length > 1) sendSeparately();
            else settleAll(waiting, () => toFailedResult(error), finish);
          },
        },
      );

      function finish(): void {
        stopWatching();
        for (const request of waiting) request.finish();
        resolve();
      }
    });
  }

  /** Sends the fetches of these requests in one request for each shape. */
  async #sendSeparately(requests: readonly BatchableRequest[]): Promise<void> {
    const open = requests.filter((request) => !request.isCancelled);
    const separate = open.map((request) => {
      const parts = request.calls.map(
        (call) =>
          new BatchableRequest(
            { calls: [call], requestContext: request.requestContext, onDone() {} },
            this.#fuse([call]),
          ),
      );
      const cancelParts = (): void => {
        for (const part of parts) part.cancel();
      };
      request.onCancel = cancelParts;
      return parts;
    });
    const [first = []] = separate;
    await Promise.all(
      first.map((_, n) => this.#sendBatch(separate.map((parts) => parts[n] as BatchableRequest))),
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

function watchNothing(): void {}

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
