import DataLoader from 'dataloader';
import { TextMap } from '../sharing/textMap.ts';
import type { CancelSubgraphCall, SubgraphClient } from '../subgraphs/subgraphClient.ts';
import { atEndOfTurn } from '../time/atEndOfTurn.ts';
import { AdaptiveBatchSize } from './adaptiveBatchSize.ts';
import { BatchableRequest } from './batchableRequest.ts';
import { EntityCall, type EntityCallObserver } from './entityCall.ts';
import type { FetchCall } from './fetchCall.ts';
import type { EntityRequest } from './fetchSender.ts';
import { FusedShape } from './fetchShape.ts';
import { toFetchError } from './invalidDataError.ts';

export interface EntityFetchBatcherOptions {
  /** Batches equal fetches of several client requests (batching.acrossRequests). */
  readonly acrossRequests: boolean;
  /** Maximum number of representations in a batch of several requests (batching.maxBatchSize). A fetch of one request is
   *  never divided. */
  readonly maxBatchSize: number;
}

/** Sends entity fetches: those of one operation in one HTTP request, and with `acrossRequests` those of several operations
 *  with equal shapes, variables and forwarded headers. */
export class EntityFetchBatcher implements EntityCallObserver {
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
          // A loader keeps its last batch, and with it the executions and their supergraph.
          this.#loaders.delete(subgraph);
          this.#sendTogether(requests);
          return requests.map(() => undefined);
        },
        // Batches the requests of one turn of the event loop, and delays none of them further.
        { cache: false, batchScheduleFn: atEndOfTurn },
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
        for (const part of splitIntoBatches(group, this.#batchSizeOf(group[0] as BatchableRequest).current))
          this.#sendBatch(part);
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
    const [first] = waiting;
    if (first === undefined) {
      onEnd?.();
      return;
    }
    if (first.fused.separateRequests > 0) {
      first.fused.separateRequests -= 1;
      void this.sendSeparately(waiting).then(onEnd);
      return;
    }
    const call = new EntityCall(waiting, this, onEnd);
    try {
      call.send(this.#client);
    } catch (fault) {
      // The scheduler that sent these fetches no longer waits for this to return.
      call.onError(toFetchError(fault, first.fused.subgraph));
    }
  }

  /** Learns from the end of a batch. */
  onBatch(first: BatchableRequest, size: number, outcome: 'completed' | 'timeout'): void {
    // Without batches across requests, none is ever divided.
    if (this.#options.acrossRequests) this.#batchSizeOf(first).onBatch(size, outcome);
  }

  /** Sends the fetches of these requests in one request for each shape; those of one shape in parts of the requests. */
  async sendSeparately(requests: readonly BatchableRequest[]): Promise<void> {
    const open = requests.filter((request) => !request.isCancelled);
    if (requests[0]?.fused.shapes.length === 1) {
      const size = open.reduce((sum, request) => sum + request.size, 0);
      const parts = splitIntoBatches(open, size / partsOfFailedBatch);
      await Promise.all(parts.map((part) => this.#sendAndWait(part)));
      return;
    }
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
    if (fused === undefined) {
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

/** Into how many parts a batch is divided that one request may have failed, and then the part of that request. One request
 *  of 200 costs 20 more calls; if all fail, they cost a third more calls than without batches. */
const partsOfFailedBatch = 8;

/** Splits requests into batches of at most this number of representations. A request is never divided. */
function splitIntoBatches(requests: readonly BatchableRequest[], maxSize: number): BatchableRequest[][] {
  const parts: BatchableRequest[][] = [];
  let part: BatchableRequest[] = [];
  let size = 0;
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
