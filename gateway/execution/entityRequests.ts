import DataLoader from 'dataloader';
import { GatewayError } from '../errors.ts';
import { deadlineExceeded } from '../subgraph-client/callFailure.ts';
import {
  type CallPriority,
  mostUrgent,
  mostUrgentRequest,
  type RequestPriority,
} from '../subgraph-client/callPriority.ts';
import type {
  CancelSubgraphCall,
  SubgraphClient,
  SubgraphErrorEntry,
  SubgraphResponse,
} from '../subgraph-client/subgraphClient.ts';
import { inSlices, type SlicedWork } from '../time/inSlices.ts';
import { afterAll } from './afterAll.ts';
import { type FetchCall, type FetchError, type FetchResult, variablesText } from './fetchCall.ts';
import { answeredWith, toFailure } from './fetchResults.ts';
import type { EntityRequest } from './fetchSender.ts';
import { FusedShape } from './fetchShape.ts';
import type { RequestScope } from './requestScope.ts';
import { isPlainObject, type ResponseObject } from './responseTree.ts';

export interface EntityRequestsOptions {
  /** Whether fetches of the same shape and the same forwarded headers travel together for several clients. */
  readonly acrossRequests: boolean;
  /** Most representations that such a common request holds. One client's fetch is never divided. */
  readonly maxBatchSize: number;
}

/** Sends entity fetches, those of one operation in one HTTP request, and with `acrossRequests` those of
 *  several operations whose shapes, variables and forwarded headers are all equal. */
export class EntityRequests {
  readonly #client: SubgraphClient;
  readonly #options: EntityRequestsOptions;
  readonly #fused = new Map<string, FusedShape>();
  readonly #shared = new Map<string, DataLoader<PendingRequest, undefined, PendingRequest>>();

  constructor(client: SubgraphClient, options: EntityRequestsOptions) {
    this.#client = client;
    this.#options = options;
  }

  send(request: EntityRequest): CancelSubgraphCall {
    const pending = new PendingRequest(request, this.#fuse(request.calls));
    if (!this.#options.acrossRequests) {
      void this.#sendTogether([pending]);
      return () => pending.cancel();
    }
    const key = pending.sharingKey();
    let loader = this.#shared.get(key);
    if (loader === undefined) {
      const created: DataLoader<PendingRequest, undefined, PendingRequest> = new DataLoader(
        async (requests) => {
          this.#shared.delete(key);
          await Promise.all(this.#divide(requests).map((part) => this.#sendTogether(part)));
          return requests.map(() => undefined);
        },
        // Requests that arrived in the same turn of the event loop go together; nobody waits longer than that.
        { cache: false, batchScheduleFn: (callback) => setImmediate(callback) },
      );
      loader = created;
      this.#shared.set(key, loader);
    }
    void loader.load(pending);
    return () => pending.cancel();
  }

  /** Parts of at most `maxBatchSize` representations. */
  #divide(requests: readonly PendingRequest[]): PendingRequest[][] {
    const parts: PendingRequest[][] = [];
    let part: PendingRequest[] = [];
    let size = 0;
    for (const request of requests) {
      if (part.length > 0 && size + request.size > this.#options.maxBatchSize) {
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

  /** One HTTP request for requests with equal sharing keys. */
  #sendTogether(requests: readonly PendingRequest[]): Promise<void> {
    const waiting = requests.filter((request) => !request.isCancelled);
    const first = waiting[0];
    if (first === undefined) return Promise.resolve();
    const { fused } = first;
    const { subgraph } = fused;
    const batch = new RepresentationBatch(waiting);
    const deadlines = waiting.map((request) => request.deadline);
    const deadline = Math.max(...deadlines);
    return new Promise((resolve) => {
      let left = waiting.length;
      let cancelCall: CancelSubgraphCall | undefined;
      for (const request of waiting) {
        request.onCancel = () => {
          left -= 1;
          if (left === 0) {
            stopWatching();
            cancelCall?.();
            resolve();
          }
        };
      }
      const stopWatching = watchDeadlines(waiting, deadline);
      cancelCall = this.#client.send(
        {
          subgraph,
          body: batch.body(fused),
          kind: 'query',
          headers: first.scope.headersFor(subgraph),
          isDeferred: first.isDeferred,
          priority: waiting.map((request) => request.priority).reduce(mostUrgent),
          raisable: waiting.flatMap((request) => request.calls.flatMap(({ raisable }) => raisable ?? [])),
          requestPriority: waiting.map((request) => request.requestPriority).reduce(mostUrgentRequest),
          requestId: first.scope.requestId,
          traceparent: first.scope.traceparent,
          deadline,
          neededBy: Math.min(...deadlines),
        },
        {
          onResponse: (response) => {
            // One `_entities` that fails as a whole takes the others of the request with it: asked alone, they answer.
            if (fused.shapes.length > 1 && !isPlainObject(response.data)) {
              stopWatching();
              void this.#sendApart(waiting).then(resolve);
              return;
            }
            batch.settle(fused, response, finish);
          },
          onError: (error) => settleAll(waiting, () => toFailure(error), finish),
        },
      );

      function finish(): void {
        stopWatching();
        for (const request of waiting) request.finish();
        resolve();
      }
    });
  }

  async #sendApart(requests: readonly PendingRequest[]): Promise<void> {
    await Promise.all(
      requests.map(async (request) => {
        if (request.isCancelled) return;
        const alone = request.calls.map(
          (call) =>
            new PendingRequest({ calls: [call], scope: request.scope, done() {} }, this.#fuse([call])),
        );
        request.onCancel = () => {
          for (const part of alone) part.cancel();
        };
        await Promise.all(alone.map((part) => this.#sendTogether([part])));
        request.finish();
      }),
    );
  }

  #fuse(calls: readonly FetchCall[]): FusedShape {
    const only = calls.length === 1 ? calls[0] : undefined;
    if (only !== undefined) return FusedShape.alone(only.shape);
    const key = calls.map((call) => call.shape.id).join(' ');
    let fused = this.#fused.get(key);
    if (fused === undefined || fused.shapes.some((shape, n) => shape !== calls[n]?.shape)) {
      if (this.#fused.size >= maxFusedShapes) this.#fused.clear();
      fused = new FusedShape(calls.map((call) => call.shape));
      this.#fused.set(key, fused);
    }
    return fused;
  }
}

/** Texts made once and thrown away together; which combinations occur is decided by what is ready when. */
const maxFusedShapes = 1000;

/** An entity request on its way, cancellable by itself. */
class PendingRequest {
  readonly calls: readonly FetchCall[];
  readonly scope: RequestScope;
  readonly fused: FusedShape;
  readonly size: number;
  isCancelled = false;
  onCancel: (() => void) | undefined;
  readonly #done: () => void;

  constructor(request: EntityRequest, fused: FusedShape) {
    this.calls = request.calls;
    this.scope = request.scope;
    this.fused = fused;
    this.size = request.calls.reduce((sum, call) => sum + call.representations.length, 0);
    this.#done = request.done;
  }

  /** Everything that may change the answer, but for the representations. */
  sharingKey(): string {
    const { subgraph } = this.fused;
    const ids = this.calls.map((call) => call.shape.id).join(' ');
    const variables = this.calls.map((call, n) =>
      variablesText(call, (name) => this.fused.variableName(n, name)),
    );
    return JSON.stringify([subgraph, this.scope.headersFor(subgraph).key, this.isDeferred, ids, variables]);
  }

  get isDeferred(): boolean {
    return (this.calls[0]?.group ?? 0) > 0;
  }

  /** Of its most urgent call. */
  get priority(): CallPriority {
    // Somebody may have joined a fetch since it was sent.
    return this.calls.map(({ priority, raisable }) => raisable?.current ?? priority).reduce(mostUrgent);
  }

  get requestPriority(): RequestPriority {
    return this.scope.priority ?? 'normal';
  }

  get deadline(): number {
    return this.scope.deadlineFor(this.fused.subgraph);
  }

  cancel(): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    this.onCancel?.();
  }

  /** Its time is over; the others of a common request may have more. */
  expire(): void {
    if (this.isCancelled) return;
    const failure = toFailure(deadlineExceeded(this.fused.subgraph));
    settleAll([this], () => failure, this.#done);
    this.cancel();
  }

  finish(): void {
    this.onCancel = undefined;
    if (!this.isCancelled) this.#done();
  }
}

/** Keeps the deadlines of those whose time is over before `latest`, the deadline of the call itself. Returns
 *  what ends the watch. */
function watchDeadlines(requests: readonly PendingRequest[], latest: number): () => void {
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
    const late = open.filter((request) => request.deadline <= now);
    open = open.filter((request) => request.deadline > now);
    arm();
    for (const request of late) request.expire();
  }
}

/** The representations of one HTTP request: per fetch of the fused shape one list, in which each client's
 *  representations have their places. */
class RepresentationBatch {
  readonly #requests: readonly PendingRequest[];
  /** Per fetch: all texts. */
  readonly #texts: (readonly string[])[] = [];
  /** Per request and fetch: places of its representations; `undefined` where they are the whole list in order. */
  readonly #places: (readonly number[] | undefined)[][] = [];

  constructor(requests: readonly PendingRequest[]) {
    this.#requests = requests;
    const first = requests[0] as PendingRequest;
    if (requests.length === 1) {
      this.#texts = first.calls.map((call) => call.representations);
      this.#places = [first.calls.map(() => undefined)];
      return;
    }
    const merged = first.calls.map(() => new Map<string, number>());
    this.#places = requests.map((request) =>
      request.calls.map((call, n) => {
        const places = merged[n] as Map<string, number>;
        return call.representations.map((text) => {
          const known = places.get(text);
          if (known !== undefined) return known;
          places.set(text, places.size);
          return places.size - 1;
        });
      }),
    );
    this.#texts = merged.map((places) => [...places.keys()]);
  }

  body(fused: FusedShape): string {
    let text = fused.bodyPrefix;
    (this.#requests[0] as PendingRequest).calls.forEach((call, n) => {
      const name = fused.variableName(n, 'representations');
      const others = variablesText(call, (variable) => fused.variableName(n, variable));
      text += `${n === 0 ? '' : ','}"${name}":[${(this.#texts[n] as readonly string[]).join(',')}]`;
      if (others !== '') text += `,${others}`;
    });
    return `${text}}}`;
  }

  settle(fused: FusedShape, response: SubgraphResponse, done: () => void): void {
    if (response.errors === undefined) {
      const results = this.#resultsWith(fused, response, { general: [], byFetch: [] });
      settleAll(this.#requests, (r, n) => results[r]?.[n] as FetchResult, done);
      return;
    }
    inSlices(
      this.#results(fused, response),
      (results) => settleAll(this.#requests, (r, n) => results[r]?.[n] as FetchResult, done),
      (fault) => {
        const error = new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { cause: fault });
        settleAll(this.#requests, () => toFailure(error), done);
      },
    );
  }

  *#results(fused: FusedShape, response: SubgraphResponse): SlicedWork<readonly FetchResult[][]> {
    return this.#resultsWith(fused, response, yield* groupErrors(fused, response.errors ?? []));
  }

  /** All results are made before the first is handed over: its receiver writes into the objects. */
  #resultsWith(fused: FusedShape, response: SubgraphResponse, errors: GroupedErrors): FetchResult[][] {
    const data: ResponseObject = isPlainObject(response.data) ? response.data : {};
    const taken = new Set<unknown>();
    return this.#requests.map((request, r) =>
      request.calls.map((call, n) => {
        const expected = (this.#texts[n] as readonly string[]).length;
        const places = this.#places[r]?.[n];
        return this.#resultOf(call, data[fused.alias(n)], places, expected, errors, n, response, taken);
      }),
    );
  }

  #resultOf(
    call: FetchCall,
    entities: unknown,
    places: readonly number[] | undefined,
    expected: number,
    errors: GroupedErrors,
    n: number,
    response: SubgraphResponse,
    taken: Set<unknown>,
  ): FetchResult {
    const { shape } = call;
    const own = errors.byFetch[n];
    const all = own === undefined ? errors.general : [...errors.general, ...own];
    if (!Array.isArray(entities) || entities.length !== expected) {
      if (all.length === 0 || Array.isArray(entities)) {
        return toFailure(
          new GatewayError(
            'SUBGRAPH_INVALID_RESPONSE',
            'A subgraph answered with other entities than it was asked for.',
            {
              subgraph: shape.subgraph,
              cause: `_entities: ${Array.isArray(entities) ? `${entities.length} for ${expected} representations` : 'no list'}`,
            },
          ),
        );
      }
      const own = places === undefined ? all : errorsAt(places, all);
      // Where only another client's entities have errors, these took the data of all along.
      const told = own.length > 0 ? own : all.map((error) => ({ ...error, entity: undefined, path: [] }));
      return answeredWith(response, undefined, told);
    }
    if (places === undefined) {
      return answeredWith(response, entities, all);
    }
    const mine = places.map((place) => {
      const entity: unknown = entities[place];
      if (!isPlainObject(entity)) return entity;
      // The first client gets the object itself; it will write into it, so the next one needs its own.
      if (!taken.has(entity)) {
        taken.add(entity);
        return entity;
      }
      return structuredClone(entity);
    });
    return answeredWith(response, mine, errorsAt(places, all));
  }
}

/** Errors of the entities at these places of a common request, by their places among these, and of no entity. */
function errorsAt(places: readonly number[], errors: readonly FetchError[]): FetchError[] {
  const placeOf = new Map(places.map((place, index) => [place, index]));
  return errors.flatMap((error) => {
    if (error.entity === undefined) return [error];
    const index = placeOf.get(error.entity);
    return index === undefined ? [] : [{ ...error, entity: index }];
  });
}

/** Hands every call of these requests its result; `done` is called when all have been taken. */
function settleAll(
  requests: readonly PendingRequest[],
  resultOf: (request: number, call: number) => FetchResult,
  done: () => void,
): void {
  const only = requests.length === 1 ? requests[0] : undefined;
  if (only !== undefined && only.calls.length === 1 && !only.isCancelled) {
    only.calls[0]?.settle(resultOf(0, 0), done);
    return;
  }
  const open = requests.map((request) => (request.isCancelled ? [] : request.calls));
  const doneOne = afterAll(
    open.reduce((count, calls) => count + calls.length, 0),
    done,
  );
  open.forEach((calls, r) => {
    calls.forEach((call, n) => {
      // An earlier one may have cancelled it.
      if (requests[r]?.isCancelled === true) doneOne();
      else call.settle(resultOf(r, n), doneOne);
    });
  });
}

/** Long lists of errors pause after so many. */
const errorsPerPause = 500;

interface GroupedErrors {
  readonly general: readonly FetchError[];
  readonly byFetch: readonly (readonly FetchError[])[];
}

function* groupErrors(fused: FusedShape, entries: readonly SubgraphErrorEntry[]): SlicedWork<GroupedErrors> {
  const general: FetchError[] = [];
  const byFetch: FetchError[][] = fused.shapes.map(() => []);
  for (const [number, entry] of entries.entries()) {
    if (number % errorsPerPause === errorsPerPause - 1) yield;
    const [alias, index, ...path] = entry.path ?? [];
    const n = fused.shapes.findIndex((_, candidate) => fused.alias(candidate) === alias);
    if (n === -1) general.push({ entry, entity: undefined, path: [] });
    else if (typeof index === 'number') byFetch[n]?.push({ entry, entity: index, path });
    else byFetch[n]?.push({ entry, entity: undefined, path: [] });
  }
  return { general, byFetch };
}
