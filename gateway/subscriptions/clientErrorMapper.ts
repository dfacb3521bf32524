import { describeCause, GatewayError } from '../errors.ts';
import { httpStatusOf } from '../subgraphs/callErrors.ts';
import { hideQuotedJson, type Logger } from '../telemetry/logger.ts';
import { reportedErrorsOf } from './sources/reportedErrors.ts';

interface ClientErrorMapperOptions {
  /** `security.exposeSubgraphErrors`: clients see the subgraph's own message and extensions, and the log has the message. */
  readonly exposeSubgraphErrors: boolean;
  readonly log: Logger;
}

/** Creates a function that logs the error with which a subgraph ended or refused a subscription, and returns the error
 *  that clients may see. */
export function createClientErrorMapper({
  exposeSubgraphErrors,
  log,
}: ClientErrorMapperOptions): (error: GatewayError) => GatewayError {
  return (error) => {
    const { subgraph, code } = error;
    const [reported] = reportedErrorsOf(error) ?? [];
    const reportedMessage = exposeSubgraphErrors ? reported?.message : undefined;
    const cause = reported === undefined ? describeCause(error) : reportedMessage;
    const problem = cause && hideQuotedJson(cause);
    log.warn(
      { subgraph, code, status: httpStatusOf(error), problem },
      'A subgraph ended a subscription with an error',
    );
    if (!exposeSubgraphErrors || reported === undefined) return error;
    const { code: _, ...extensions } = reported.extensions ?? {};
    return new GatewayError(code, reported.message, {
      ...(subgraph === undefined ? {} : { subgraph }),
      extensions: { ...error.extensions, ...extensions },
      cause: error,
    });
  };
}
