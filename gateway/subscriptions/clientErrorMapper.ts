import { describeCause, GatewayError } from '../errors.ts';
import { type ErrorPolicy, withCause } from '../response/formatErrors.ts';
import { httpStatusOf } from '../subgraphs/callErrors.ts';
import { hideQuotedJson, type Logger } from '../telemetry/logger.ts';
import { reportedErrorsOf } from './sources/reportedErrors.ts';

interface ClientErrorMapperOptions {
  /** With `exposeSubgraphErrors`, the log has the subgraph's own message, too. */
  readonly policy: Pick<ErrorPolicy, 'exposeSubgraphErrors' | 'exposeSubgraphs'>;
  readonly log: Logger;
}

/** Creates a function that logs the error with which a subgraph ended or refused a subscription, and returns the error
 *  that clients may see. */
export function createClientErrorMapper({
  policy: { exposeSubgraphErrors, exposeSubgraphs },
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
    // The error of an extension's hook has a code of its own.
    if (subgraph === undefined || error.clientCode !== code) return error;
    const { code: _, ...extensions } = (exposeSubgraphErrors && reported?.extensions) || {};
    const message = exposeSubgraphErrors ? (reported?.message ?? withCause(error)) : error.message;
    return new GatewayError(code, message, {
      subgraph,
      extensions: { ...error.extensions, ...extensions, ...(exposeSubgraphs ? { subgraph } : {}) },
      cause: error,
    });
  };
}
