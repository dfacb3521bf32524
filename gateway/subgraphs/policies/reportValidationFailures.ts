import type { GatewayError } from '../../errors.ts';
import type {
  SendPolicy,
  SubgraphErrorEntry,
  SubgraphReceiver,
  SubgraphResponse,
} from '../subgraphClient.ts';

interface ValidationFailureListener {
  /** The subgraph says that the operation is not valid for its schema: the subgraph and the supergraph disagree. */
  onFailure(subgraph: string, message: string): void;
  /** The operation, or the value of a variable, is invalid: the subgraph has no code that says which. */
  onRequestError(): void;
}

/** Reports each response in which a subgraph says that it did not execute the operation, because the request is invalid. */
export function reportValidationFailures(listener: ValidationFailureListener): SendPolicy {
  return (next) => (request, receiver) =>
    next(request, new ReportingReceiver(receiver, request.subgraph, listener));
}

class ReportingReceiver implements SubgraphReceiver {
  readonly #receiver: SubgraphReceiver;
  readonly #subgraph: string;
  readonly #listener: ValidationFailureListener;

  constructor(receiver: SubgraphReceiver, subgraph: string, listener: ValidationFailureListener) {
    this.#receiver = receiver;
    this.#subgraph = subgraph;
    this.#listener = listener;
  }

  onResponse(response: SubgraphResponse): void {
    const [first] = response.errors ?? [];
    if (first !== undefined) this.#report(first);
    this.#receiver.onResponse(response);
  }

  onError(error: GatewayError): void {
    this.#receiver.onError(error);
  }

  /** The first error is enough: a subgraph that fails validation executes nothing, so it reports no other kind of error. */
  #report({ message, extensions, isRequestError }: SubgraphErrorEntry): void {
    const code = extensions?.code;
    if (code === 'GRAPHQL_VALIDATION_FAILED') this.#listener.onFailure(this.#subgraph, message);
    else if (code === undefined && isRequestError === true) this.#listener.onRequestError();
  }
}
