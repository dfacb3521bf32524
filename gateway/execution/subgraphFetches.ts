import type { SubgraphClient, SubgraphResponse } from '../subgraph-client/subgraphClient.ts';
import { EntityRequests, type EntityRequestsOptions } from './entityRequests.ts';
import { type FetchResult, variablesText } from './fetchCall.ts';
import { answeredWith, toFailure } from './fetchResults.ts';
import type { CancelFetch, EntityRequest, FetchSender, RootRequest } from './fetchSender.ts';

/** Asks the subgraphs. */
export class SubgraphFetches implements FetchSender {
  readonly #client: SubgraphClient;
  readonly #entityRequests: EntityRequests;

  constructor(client: SubgraphClient, options: EntityRequestsOptions) {
    this.#client = client;
    this.#entityRequests = new EntityRequests(client, options);
  }

  sendEntities(request: EntityRequest): CancelFetch {
    return this.#entityRequests.send(request);
  }

  sendRoot({ call, done }: RootRequest): CancelFetch {
    const { shape, scope } = call;
    const finish = (result: FetchResult): void => call.settle(result, done);
    return this.#client.send(
      {
        subgraph: shape.subgraph,
        body: `${shape.bodyPrefix}${variablesText(call, (name) => name)}}}`,
        kind: shape.kind === 'mutation' ? 'mutation' : 'query',
        headers: scope.headersFor(shape.subgraph),
        isDeferred: call.group > 0,
        priority: call.priority,
        raisable: call.raisable && [call.raisable],
        requestPriority: scope.priority,
        requestId: scope.requestId,
        traceparent: scope.traceparent,
        deadline: scope.deadlineFor(shape.subgraph),
      },
      {
        onResponse: (response) => finish(rootResult(response)),
        onError: (error) => finish(toFailure(error)),
      },
    );
  }
}

function rootResult(response: SubgraphResponse): FetchResult {
  const errors = response.errors ?? [];
  return answeredWith(
    response,
    response.data,
    errors.map((entry) => ({ entry, entity: undefined, path: entry.path ?? [] })),
  );
}
