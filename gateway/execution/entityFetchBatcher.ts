import DataLoader from 'dataloader';
import { GatewayError } from '../errors.ts';
import { deadlineExceededError } from '../subgraphs/callErrors.ts';
import {
  type CallPriority,
  mostUrgent,
  mostUrgentRequest,
  type RequestPriority,
} from '../subgraphs/policies/callPriority.ts';
import type {
  CancelSubgraphCall,
  SubgraphClient,
  SubgraphErrorEntry,
  SubgraphResponse,
} from '../subgraphs/subgraphClient.ts';
import type { FetchSpan } from '../telemetry/fetchSpan.ts';
import { runInSlices, type SlicedTask } from '../time/slicedTask.ts';
import { AdaptiveBatchSize } from './adaptiveBatchSize.ts';
import { createCountdownLatch } from './countdownLatch.ts';
import {
  type FetchCall,
  type FetchError,
  type FetchResult,
  serializeVariables,
  toFailedResult,
  toFetchResult,
} from './fetchCall.ts';
import type { EntityRequest } from './fetchSender.ts';
import { FusedShape } from './fetchShape.ts';
import { type RequestContext, sharingKeyFor } from './requestContext.ts';
import { isPlainObject, type ResponseObject } from './responseTree.ts';

export interface EntityFetchBatcherOptions {
  /** Batches equal fetches of several client requests (batching.acrossRequests). */
  readonly acrossRequests: boolean;
  /** Most representations of a batch of several requests (batching.maxBatchSize). One request's fetch is never divided. */
  readonly maxBatchSize: number;
}

/** Sends entity fetches: those of one operation in one HTTP request, and with `acrossRequests` those of several operations
 *  with equal shapes, variables and forwarded headers. */
export class EntityFetchBatcher {
  readonly #client: SubgraphClient;
  readonly #options: EntityFetchBatcherOptions;
  readonly #fusedShapes = new Map<string, FusedShape>();
  readonly #loaders = new Map<string, DataLoader<BatchableRequest, undefined, BatchableRequest>>();
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
    const key = pending.batchKey();
    let loader = this.#loaders.get(key);
    if (loader === undefined) {
      const created: DataLoader<BatchableRequest, undefined, BatchableRequest> = new DataLoader(
        async (requests) => {
          this.#loaders.delete(key);
          await Promise.all(this.#splitIntoBatches(requests).map((part) => this.#sendBatch(part)));
          return requests.map(() => undefined);
        },
        // Batches the requests of one turn of the event loop, and delays none of them further.
        { cache: false, batchScheduleFn: (callback) => setImmediate(callback) },
      );
      loader = created;
      this.#loaders.set(key, loader);
    }
    void loader.load(pending);
    return () => pending.cancel();
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
    const waiting = requests.filter((request) => !request.isCancelled);
    const first = waiting[0];
    if (first === undefined) return Promise.resolve();
    // The others of the batch join the first one that is recorded.
    const traced = waiting.find(({ span }) => span !== undefined);
    if (traced !== undefined)
      for (const request of waiting) if (request !== traced) request.span?.onJoin(traced.span);
    const { fused } = first;
    const { subgraph } = fused;
    const batch = new RepresentationBatch(waiting);
    const deadlines = waiting.map((request) => request.deadline);
    const deadline = Math.max(...deadlines);
    return new Promise((resolve) => {
      let open = waiting.length;
      let cancelCall: CancelSubgraphCall | undefined;
      // Not assigned as a literal: it would keep the request in memory (docs/decisions/0056).
      const onCancel = (): void => {
        open -= 1;
        if (open > 0) return;
        stopWatching();
        cancelCall?.();
        resolve();
      };
      for (const request of waiting) request.onCancel = onCancel;
      const stopWatching = startDeadlineTimer(waiting, deadline);
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
          priority: waiting.map((request) => request.priority).reduce(mostUrgent),
          raisablePriorities: waiting.flatMap((request) =>
            request.calls.flatMap(({ raisablePriority }) => raisablePriority ?? []),
          ),
          requestPriority: waiting.map((request) => request.requestPriority).reduce(mostUrgentRequest),
          requestId: first.requestContext.requestId,
          traceHeaders: first.requestContext.traceHeaders,
          span: traced?.span,
          deadline,
          earliestDeadline: Math.min(...deadlines),
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

/** An entity request that can be part of a batch and be cancelled by itself. */
class BatchableRequest {
  readonly calls: readonly FetchCall[];
  readonly requestContext: RequestContext;
  readonly fused: FusedShape;
  readonly size: number;
  isCancelled = false;
  onCancel: (() => void) | undefined;
  readonly #onDone: () => void;

  constructor(request: EntityRequest, fused: FusedShape) {
    this.calls = request.calls;
    this.requestContext = request.requestContext;
    this.fused = fused;
    this.size = request.calls.reduce((sum, call) => sum + call.representations.length, 0);
    this.#onDone = request.onDone;
  }

  /** Everything that may change the response, except the representations. */
  batchKey(): string {
    const { subgraph } = this.fused;
    const ids = this.calls.map((call) => call.shape.id).join(' ');
    const variables = this.calls.map((call, n) =>
      serializeVariables(call, (name) => this.fused.variableNameOf(n, name)),
    );
    return JSON.stringify([
      subgraph,
      sharingKeyFor(this.requestContext, subgraph),
      this.requestContext.headersFor(subgraph).key,
      this.isDeferred,
      ids,
      variables,
    ]);
  }

  get span(): FetchSpan | undefined {
    return this.calls[0]?.span;
  }

  get isDeferred(): boolean {
    return (this.calls[0]?.group ?? 0) > 0;
  }

  /** Of its most urgent call. */
  get priority(): CallPriority {
    // Another request may have joined the fetch since it was sent.
    return this.calls
      .map(({ priority, raisablePriority }) => raisablePriority?.current ?? priority)
      .reduce(mostUrgent);
  }

  get requestPriority(): RequestPriority {
    return this.requestContext.preferences.priority ?? 'normal';
  }

  get deadline(): number {
    return this.requestContext.deadlineFor(this.fused.subgraph);
  }

  cancel(): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    this.onCancel?.();
  }

  /** The request's deadline has passed. Other requests of the batch may have later ones. */
  expire(): void {
    if (this.isCancelled) return;
    const failure = toFailedResult(deadlineExceededError(this.fused.subgraph));
    settleAll([this], () => failure, this.#onDone);
    this.cancel();
  }

  finish(): void {
    this.onCancel = undefined;
    if (!this.isCancelled) this.#onDone();
  }
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

/** The representations of one HTTP request: one list per fetch of the fused shape, with the representations of all client
 *  requests. */
class RepresentationBatch {
  readonly #requests: readonly BatchableRequest[];
  /** Per fetch: the representations. */
  readonly #texts: (readonly string[])[] = [];
  /** Per request and fetch: indices of its representations; `undefined` if they are the whole list. */
  readonly #indices: (readonly number[] | undefined)[][] = [];

  constructor(requests: readonly BatchableRequest[]) {
    this.#requests = requests;
    const first = requests[0] as BatchableRequest;
    if (requests.length === 1) {
      this.#texts = first.calls.map((call) => call.representations);
      this.#indices = [first.calls.map(() => undefined)];
      return;
    }
    const merged = first.calls.map(() => new Map<string, number>());
    this.#indices = requests.map((request) =>
      request.calls.map((call, n) => {
        const indices = merged[n] as Map<string, number>;
        return call.representations.map((text) => {
          const known = indices.get(text);
          if (known !== undefined) return known;
          indices.set(text, indices.size);
          return indices.size - 1;
        });
      }),
    );
    this.#texts = merged.map((indices) => [...indices.keys()]);
  }

  /** Representations. */
  get size(): number {
    return this.#texts.reduce((sum, texts) => sum + texts.length, 0);
  }

  body(fused: FusedShape): string {
    let text = fused.bodyPrefix;
    (this.#requests[0] as BatchableRequest).calls.forEach((call, n) => {
      const name = fused.variableNameOf(n, 'representations');
      const others = serializeVariables(call, (variable) => fused.variableNameOf(n, variable));
      text += `${n === 0 ? '' : ','}"${name}":[${(this.#texts[n] as readonly string[]).join(',')}]`;
      if (others !== '') text += `,${others}`;
    });
    return `${text}}}`;
  }

  settle(fused: FusedShape, response: SubgraphResponse, done: () => void): void {
    if (response.errors === undefined) {
      const results = this.#createResults(fused, response, { ofRequest: [], ofFetches: [] });
      settleAll(this.#requests, (r, n) => results[r]?.[n] as FetchResult, done);
      return;
    }
    runInSlices(
      this.#groupAndCreateResults(fused, response),
      (results) => settleAll(this.#requests, (r, n) => results[r]?.[n] as FetchResult, done),
      (fault) => {
        const error = new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: fault });
        settleAll(this.#requests, () => toFailedResult(error), done);
      },
    );
  }

  *#groupAndCreateResults(
    fused: FusedShape,
    response: SubgraphResponse,
  ): SlicedTask<readonly FetchResult[][]> {
    return this.#createResults(fused, response, yield* groupErrors(fused, response.errors ?? []));
  }

  /** Creates all results before the first one is settled, because the receiver modifies the objects. */
  #createResults(fused: FusedShape, response: SubgraphResponse, errors: GroupedErrors): FetchResult[][] {
    const data: ResponseObject = isPlainObject(response.data) ? response.data : {};
    const taken = new Set<unknown>();
    return this.#requests.map((request, r) =>
      request.calls.map((call, n) => {
        const expected = (this.#texts[n] as readonly string[]).length;
        const indices = this.#indices[r]?.[n];
        return this.#createResult(
          call,
          data[fused.aliasOf(n)],
          indices,
          expected,
          errors,
          n,
          response,
          taken,
        );
      }),
    );
  }

  #createResult(
    call: FetchCall,
    entities: unknown,
    indices: readonly number[] | undefined,
    expected: number,
    errors: GroupedErrors,
    n: number,
    response: SubgraphResponse,
    taken: Set<unknown>,
  ): FetchResult {
    const { shape } = call;
    const own = errors.ofFetches[n];
    const all = own === undefined ? errors.ofRequest : [...errors.ofRequest, ...own];
    if (!Array.isArray(entities) || entities.length !== expected) {
      if (all.length === 0 || Array.isArray(entities)) {
        return toFailedResult(
          new GatewayError(
            'SUBGRAPH_INVALID_RESPONSE',
            'A subgraph returned other entities than were requested.',
            {
              subgraph: shape.subgraph,
              cause: `_entities: ${Array.isArray(entities) ? `${entities.length} for ${expected} representations` : 'no list'}`,
            },
          ),
        );
      }
      const own = indices === undefined ? all : errorsOfEntities(indices, all);
      // If only entities of other requests have errors, these errors failed this request as well.
      const reported =
        own.length > 0 ? own : all.map((error) => ({ ...error, entityIndex: undefined, path: [] }));
      return toFetchResult(response, undefined, reported);
    }
    if (indices === undefined) {
      return toFetchResult(response, entities, all);
    }
    const requested = indices.map((index) => {
      const entity: unknown = entities[index];
      if (!isPlainObject(entity)) return entity;
      // The first request gets the object itself and modifies it; others get a copy.
      if (!taken.has(entity)) {
        taken.add(entity);
        return entity;
      }
      return structuredClone(entity);
    });
    return toFetchResult(response, requested, errorsOfEntities(indices, all));
  }
}

/** Returns the errors of these entities of a batch, with their indices in `entityIndices`, and errors without an entity. */
function errorsOfEntities(entityIndices: readonly number[], errors: readonly FetchError[]): FetchError[] {
  const ownIndexOf = new Map(entityIndices.map((entityIndex, index) => [entityIndex, index]));
  return errors.flatMap((error) => {
    if (error.entityIndex === undefined) return [error];
    const index = ownIndexOf.get(error.entityIndex);
    return index === undefined ? [] : [{ ...error, entityIndex: index }];
  });
}

/** Settles every call of these requests. `done` is called when all results have been processed. */
function settleAll(
  requests: readonly BatchableRequest[],
  resultOf: (request: number, call: number) => FetchResult,
  done: () => void,
): void {
  const only = requests.length === 1 ? requests[0] : undefined;
  if (only !== undefined && only.calls.length === 1 && !only.isCancelled) {
    only.calls[0]?.settle(resultOf(0, 0), done);
    return;
  }
  const open = requests.map((request) => (request.isCancelled ? [] : request.calls));
  const countDown = createCountdownLatch(
    open.reduce((count, calls) => count + calls.length, 0),
    done,
  );
  open.forEach((calls, r) => {
    calls.forEach((call, n) => {
      // Settling an earlier call may have cancelled the request.
      if (requests[r]?.isCancelled === true) countDown();
      else call.settle(resultOf(r, n), countDown);
    });
  });
}

/** Long lists of errors pause after so many. */
const errorsPerSlice = 500;

interface GroupedErrors {
  readonly ofRequest: readonly FetchError[];
  readonly ofFetches: readonly (readonly FetchError[])[];
}

function* groupErrors(fused: FusedShape, entries: readonly SubgraphErrorEntry[]): SlicedTask<GroupedErrors> {
  const general: FetchError[] = [];
  const byFetch: FetchError[][] = fused.shapes.map(() => []);
  for (const [number, entry] of entries.entries()) {
    if (number % errorsPerSlice === errorsPerSlice - 1) yield;
    const [alias, index, ...path] = entry.path ?? [];
    const n = fused.shapes.findIndex((_, candidate) => fused.aliasOf(candidate) === alias);
    if (n === -1) general.push({ entry, entityIndex: undefined, path: [] });
    else if (typeof index === 'number') byFetch[n]?.push({ entry, entityIndex: index, path });
    else byFetch[n]?.push({ entry, entityIndex: undefined, path: [] });
  }
  return { ofRequest: general, ofFetches: byFetch };
}
