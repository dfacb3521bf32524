import { GatewayError } from '../../errors.ts';
import { statusError } from '../../subgraphs/callErrors.ts';
import type { SubgraphErrorEntry } from '../../subgraphs/subgraphClient.ts';

/** A subgraph's own words about why it ended or refused a subscription: the cause of a `GatewayError`, whose message
 *  holds none of them. */
class ReportedErrors extends Error {
  override readonly name = 'ReportedErrors';
  readonly errors: readonly SubgraphErrorEntry[];

  constructor(errors: readonly SubgraphErrorEntry[]) {
    super(errors[0]?.message ?? 'no reason given');
    this.errors = errors;
  }
}

/** For a subscription that a subgraph ended with errors. */
export function reportedFailure(subgraph: string, errors: readonly SubgraphErrorEntry[]): GatewayError {
  const cause = new ReportedErrors(errors);
  return new GatewayError('SUBGRAPH_ERROR', 'A subgraph answered with an error.', { subgraph, cause });
}

/** For a subscription that was refused with errors before it began. */
export function reportedRefusal(
  subgraph: string,
  status: number,
  errors: readonly SubgraphErrorEntry[],
): GatewayError {
  return status >= 200 && status < 300
    ? reportedFailure(subgraph, errors)
    : statusError(subgraph, status, new ReportedErrors(errors));
}

/** The subgraph's own errors, where it gave any. Clients may see them where `security.exposeSubgraphErrors` allows. */
export function reportedErrorsOf(error: GatewayError): readonly SubgraphErrorEntry[] | undefined {
  return error.cause instanceof ReportedErrors ? error.cause.errors : undefined;
}
