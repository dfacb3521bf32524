import type { SubgraphClient, SubgraphResponse } from '../subgraphs/subgraphClient.ts';
import { EntityFetchBatcher, type EntityFetchBatcherOptions } from './entityFetchBatcher.ts';
import { type FetchResult, serializeVariables, toFailedResult, toFetchResult } from './fetchCall.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from './fetchSender.ts';

/** Sends fetches to subgraphs. */
export class SubgraphFetchSender implements FetchSender {
  readonly #client: SubgraphClient;
  readonly #entityBatcher: EntityFetchBatcher;

  constructor(client: SubgraphClient, options: EntityFetchBatcherOptions) {
    this.#client = client;
    this.#entityBatcher = new EntityFetchBatcher(client, options);
  }

  sendEntities(request: EntityRequest): CancelFetch {
    return this.#entityBatcher.send(request);
  }

  sendRoot({ call, onDone }: RootRequest): CancelFetch {
    const { shape, requestContext } = call;
    const finish = (result: FetchResult): void => call.settle(result, onDone);
    return this.#client.send(
      {
        subgraph: shape.subgraph,
        body: `${shape.bodyPrefix}${serializeVariables(call, (name) => name)}}}`,
        kind: shape.kind === 'mutation' ? 'mutation' : 'query',
        headers: requestContext.headersFor(shape.subgraph),
        coordinates: shape.coordinates,
        sharingKey: requestContext.sharingKey,
        isDeferred: call.group > 0,
        priority: call.priority,
        raisablePriorities: call.raisablePriority && [call.raisablePriority],
        requestPriority: requestContext.preferences.priority,
        requestId: requestContext.requestId,
        traceHeaders: requestContext.traceHeaders,
        deadline: requestContext.deadlineFor(shape.subgraph),
      },
      {
        onResponse: (response) => finish(toRootResult(response)),
        onError: (error) => finish(toFailedResult(error)),
      },
    );
  }
}

function toRootResult(response: SubgraphResponse): FetchResult {
  const errors = response.errors ?? [];
  return toFetchResult(
    response,
    response.data,
    errors.map((entry) => ({ entry, entityIndex: undefined, path: entry.path ?? [] })),
  );
}
