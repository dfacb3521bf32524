import { isDeepStrictEqual } from 'node:util';
import { isObject } from '../json/isObject.ts';
import type { SubgraphClient, SubgraphResponse } from '../subgraphs/subgraphClient.ts';
import { EntityFetchBatcher, type EntityFetchBatcherOptions } from './entityFetchBatcher.ts';
import {
  type CompletedResult,
  type FetchCall,
  type FetchError,
  type FetchResult,
  serializeVariables,
  toFailedResult,
  toFetchResult,
} from './fetchCall.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from './fetchSender.ts';
import type { FetchShape } from './fetchShape.ts';
import { sharingKeyFor } from './requestContext.ts';
import { type ResponseObject, setKey } from './responseTree.ts';
import { RootFetchPartition } from './rootFetchPartition.ts';

/** Sends fetches to subgraphs. */
export class SubgraphFetchSender implements FetchSender {
  readonly #client: SubgraphClient;
  readonly #entityBatcher: EntityFetchBatcher;
  readonly #separateShapes = new WeakMap<FetchShape, readonly FetchShape[]>();

  constructor(client: SubgraphClient, options: EntityFetchBatcherOptions) {
    this.#client = client;
    this.#entityBatcher = new EntityFetchBatcher(client, options);
  }

  sendEntities(request: EntityRequest): CancelFetch {
    return this.#entityBatcher.send(request);
  }

  sendRoot({ call, onDone }: RootRequest): CancelFetch {
    let cancelSeparate: CancelFetch | undefined;
    const cancel = this.#sendRoot(call, (result) => {
      // The circuit of one root field is open. The others succeed when they are sent separately.
      const shapes = isCircuitOpen(result) ? this.#separateShapesOf(call.shape) : [];
      if (shapes.length < 2) call.settle(result, onDone);
      else cancelSeparate = this.#sendSeparately(call, shapes, (merged) => call.settle(merged, onDone));
    });
    return () => {
      cancel();
      cancelSeparate?.();
    };
  }

  #sendRoot(call: FetchCall, onResult: (result: FetchResult) => void): CancelFetch {
    const { shape, requestContext } = call;
    return this.#client.send(
      {
        subgraph: shape.subgraph,
        body: `${shape.bodyPrefix}${serializeVariables(call)}}}`,
        kind: shape.kind === 'mutation' ? 'mutation' : 'query',
        headers: requestContext.headersFor(shape.subgraph),
        coordinates: shape.coordinates,
        keepsDecimals: shape.keepsDecimals,
        sharingKey: sharingKeyFor(requestContext, shape.subgraph),
        isDeferred: call.group > 0,
        priority: call.priority,
        raisablePriorities: call.raisablePriority && [call.raisablePriority],
        requestPriority: requestContext.preferences.priority,
        requestId: requestContext.requestId,
        traceHeaders: requestContext.traceHeaders,
        span: call.span,
        deadline: requestContext.deadlineFor(shape.subgraph),
      },
      {
        onResponse: (response) => {
          const { clientHeaders } = response;
          if (clientHeaders !== undefined)
            requestContext.responseHeaderCollector?.collect(shape.subgraph, clientHeaders);
          onResult(toRootResult(response, shape));
        },
        onError: (error) => onResult(toFailedResult(error)),
      },
    );
  }

  #sendSeparately(
    call: FetchCall,
    shapes: readonly FetchShape[],
    onMerged: (result: FetchResult) => void,
  ): CancelFetch {
    const results: FetchResult[] = [];
    let open = shapes.length;
    const cancels = shapes.map((shape, n) =>
      this.#sendRoot({ ...call, shape }, (result) => {
        results[n] = result;
        open -= 1;
        if (open === 0) onMerged(mergeResults(shapes, results));
      }),
    );
    return () => {
      for (const cancel of cancels) cancel();
    };
  }

  /** A fetch for each coordinate of a query. */
  #separateShapesOf(shape: FetchShape): readonly FetchShape[] {
    if (shape.kind !== 'query') return [];
    let shapes = this.#separateShapes.get(shape);
    if (shapes === undefined) {
      const partition = new RootFetchPartition(shape);
      const byCoordinate = Map.groupBy(partition.items.keys(), (index) =>
        String(shape.coordinates.get(partition.items[index]?.responseName ?? '')),
      );
      shapes = [...byCoordinate.values()].map((indexes) => partition.shapeFor(indexes));
      this.#separateShapes.set(shape, shapes);
    }
    return shapes;
  }
}

function isCircuitOpen(result: FetchResult): boolean {
  return result.kind === 'failed' && result.error.code === 'CIRCUIT_OPEN';
}

function toRootResult(response: SubgraphResponse, { coordinates }: FetchShape): FetchResult {
  const errors = (response.errors ?? []).map(
    (entry): FetchError => ({ entry, entityIndex: undefined, path: entry.path ?? [] }),
  );
  if (errors.length > 0 && !isObject(response.data)) addErrorsOfLostFields(errors, coordinates.keys());
  return toFetchResult(response, response.data, errors);
}

/** The error of one root field can make the data of all others null. Without an error of its own, each of them gets it. */
function addErrorsOfLostFields(errors: FetchError[], names: Iterable<string>): void {
  const [first] = errors;
  const explained = new Set(errors.map(({ path }) => path[0]));
  // An error without a path is about all fields.
  if (first === undefined || explained.has(undefined)) return;
  for (const name of names)
    if (name !== '__typename' && !explained.has(name)) errors.push({ ...first, path: [name] });
}

/** Merges the results of separate root fetches. The fields of those that failed are null, with an error each. */
function mergeResults(shapes: readonly FetchShape[], results: readonly FetchResult[]): FetchResult {
  const completed = results.filter((result): result is CompletedResult => result.kind === 'completed');
  const [first] = completed;
  if (first === undefined) return results[0] as FetchResult;
  const data: ResponseObject = {};
  const errors: FetchError[] = [];
  for (const [n, { coordinates }] of shapes.entries()) {
    const result = results[n] as FetchResult;
    const names = [...coordinates.keys()];
    const own = result.kind === 'completed' && isObject(result.data) ? result.data : undefined;
    for (const name of names) setKey(data, name, own?.[name] ?? null);
    const ownErrors =
      result.kind === 'completed'
        ? result.errors
        : [{ entry: result.error, entityIndex: undefined, path: [] }];
    // An error without a path is about the fields of its own fetch only.
    for (const error of ownErrors)
      if (own === undefined && error.path.length === 0)
        errors.push(...names.map((name) => ({ ...error, path: [name] })));
      else errors.push(error);
  }
  return {
    ...first,
    data,
    errors,
    isEscapeFree: completed.every(({ isEscapeFree }) => isEscapeFree),
    metadata: completed.every(({ metadata }) => isDeepStrictEqual(metadata, first.metadata))
      ? first.metadata
      : {
          cacheControl: 'no-store',
          age: undefined,
          extensions: undefined,
          hasCookies: completed.some(({ metadata }) => metadata?.hasCookies),
        },
  };
}
