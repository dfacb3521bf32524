import type { GatewayError } from '../errors.ts';
import type {
  SubgraphClient,
  SubgraphErrorEntry,
  SubgraphReceiver,
  SubgraphResponse,
} from './subgraphClient.ts';

type OnValidationFailure = (subgraph: string, message: string) => void;

/** A client that tells of each answer by which a subgraph says that what it was asked is not valid for it. */
export function reportValidationFailures(
  client: SubgraphClient,
  onRefusal: OnValidationFailure,
): SubgraphClient {
  return {
    send: (request, receiver) =>
      client.send(request, new ReportingReceiver(receiver, request.subgraph, onRefusal)),
    close: () => client.close(),
  };
}

class ReportingReceiver implements SubgraphReceiver {
  readonly #receiver: SubgraphReceiver;
  readonly #subgraph: string;
  readonly #onValidationFailure: OnValidationFailure;

  constructor(receiver: SubgraphReceiver, subgraph: string, onRefusal: OnValidationFailure) {
    this.#receiver = receiver;
    this.#subgraph = subgraph;
    this.#onValidationFailure = onRefusal;
  }

  onResponse(response: SubgraphResponse): void {
    const [first] = response.errors ?? [];
    if (first !== undefined && isValidationFailure(first))
      this.#onValidationFailure(this.#subgraph, first.message);
    this.#receiver.onResponse(response);
  }

  onError(error: GatewayError): void {
    this.#receiver.onError(error);
  }
}

/** Nothing was executed then, so that no other error stands beside it. */
function isValidationFailure({ extensions }: SubgraphErrorEntry): boolean {
  return extensions?.code === 'GRAPHQL_VALIDATION_FAILED';
}
