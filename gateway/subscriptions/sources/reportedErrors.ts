import { GatewayError } from '../../errors.ts';
import { statusError } from '../../subgraphs/callErrors.ts';
import type { SubgraphErrorEntry } from '../../subgraphs/subgraphClient.ts';

/** The errors with which a subgraph ended or refused a subscription: the cause of a `GatewayError` whose message does not
 *  contain them. */
class ReportedErrors extends Error {
  override readonly name = 'ReportedErrors';
  readonly errors: readonly SubgraphErrorEntry[];

  constructor(errors: readonly SubgraphErrorEntry[]) {
    super(errors[0]?.message ?? 'no reason given');
    this.errors = errors;
  }
}

/** The error for a subscription that a subgraph ended with errors. */
export function reportedFailure(subgraph: string, errors: readonly SubgraphErrorEntry[]): GatewayError {
  const cause = new ReportedErrors(errors);
  return new GatewayError('SUBGRAPH_ERROR', 'A subgraph answered with an error.', { subgraph, cause });
}

/** The error for a subscription that a subgraph refused with errors before it began. */
export function reportedRefusal(
  subgraph: string,
  status: number,
  errors: readonly SubgraphErrorEntry[],
): GatewayError {
  return status >= 200 && status < 300
    ? reportedFailure(subgraph, errors)
    : statusError(subgraph, status, new ReportedErrors(errors));
}

/** The errors that the subgraph reported, if any. Clients may see them with `security.exposeSubgraphErrors`. */
export function reportedErrorsOf(error: GatewayError): readonly SubgraphErrorEntry[] | undefined {
  return error.cause instanceof ReportedErrors ? error.cause.errors : undefined;
}
