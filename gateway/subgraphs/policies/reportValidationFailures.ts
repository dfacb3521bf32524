import type { GatewayError } from '../../errors.ts';
import type {
  SendPolicy,
  SubgraphErrorEntry,
  SubgraphReceiver,
  SubgraphResponse,
} from '../subgraphClient.ts';

type OnValidationFailure = (subgraph: string, message: string) => void;

/** Calls `onFailure` for each response in which a subgraph says that the operation is not valid for its schema: the
 *  subgraph and the supergraph disagree. */
export function reportValidationFailures(onFailure: OnValidationFailure): SendPolicy {
  return (next) => (request, receiver) =>
    next(request, new ReportingReceiver(receiver, request.subgraph, onFailure));
}

class ReportingReceiver implements SubgraphReceiver {
  readonly #receiver: SubgraphReceiver;
  readonly #subgraph: string;
  readonly #onFailure: OnValidationFailure;

  constructor(receiver: SubgraphReceiver, subgraph: string, onFailure: OnValidationFailure) {
    this.#receiver = receiver;
    this.#subgraph = subgraph;
    this.#onFailure = onFailure;
  }

  onResponse(response: SubgraphResponse): void {
    const [first] = response.errors ?? [];
    if (first !== undefined && isValidationFailure(first)) this.#onFailure(this.#subgraph, first.message);
    this.#receiver.onResponse(response);
  }

  onError(error: GatewayError): void {
    this.#receiver.onError(error);
  }
}

/** The first error is enough: a subgraph that fails validation executes nothing, so it reports no other kind of error. */
function isValidationFailure({ extensions }: SubgraphErrorEntry): boolean {
  return extensions?.code === 'GRAPHQL_VALIDATION_FAILED';
}
