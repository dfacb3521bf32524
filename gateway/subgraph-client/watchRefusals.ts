import type { GatewayError } from '../errors.ts';
import type {
  SubgraphClient,
  SubgraphErrorEntry,
  SubgraphReceiver,
  SubgraphResponse,
} from './subgraphClient.ts';

export type OnRefusal = (subgraph: string, message: string) => void;

/** A client that tells of each answer by which a subgraph says that what it was asked is not valid for it. */
export function watchRefusals(client: SubgraphClient, onRefusal: OnRefusal): SubgraphClient {
  return {
    send: (request, receiver) =>
      client.send(request, new WatchingReceiver(receiver, request.subgraph, onRefusal)),
    close: () => client.close(),
  };
}

class WatchingReceiver implements SubgraphReceiver {
  readonly #receiver: SubgraphReceiver;
  readonly #subgraph: string;
  readonly #onRefusal: OnRefusal;

  constructor(receiver: SubgraphReceiver, subgraph: string, onRefusal: OnRefusal) {
    this.#receiver = receiver;
    this.#subgraph = subgraph;
    this.#onRefusal = onRefusal;
  }

  onResponse(response: SubgraphResponse): void {
    const [first] = response.errors ?? [];
    if (first !== undefined && isRefusal(first)) this.#onRefusal(this.#subgraph, first.message);
    this.#receiver.onResponse(response);
  }

  onError(error: GatewayError): void {
    this.#receiver.onError(error);
  }
}

/** Nothing was executed then, so that no other error stands beside it. */
function isRefusal({ extensions }: SubgraphErrorEntry): boolean {
  return extensions?.code === 'GRAPHQL_VALIDATION_FAILED';
}
