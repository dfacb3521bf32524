import { describeCause, GatewayError } from '../errors.ts';
import { type ErrorPolicy, withCause } from '../response/formatErrors.ts';
import { httpStatusOf } from '../subgraphs/callErrors.ts';
import { hideQuotedJson, type Logger } from '../telemetry/logger.ts';
import { ProblemLog } from '../telemetry/problemLog.ts';
import { reportedErrorsOf } from './sources/reportedErrors.ts';

interface ClientErrorMapperOptions {
  /** With `exposeSubgraphErrors`, the log has the subgraph's own message, too. */
  readonly policy: Pick<ErrorPolicy, 'exposeSubgraphErrors' | 'exposeSubgraphs'>;
  readonly log: Logger;
}

/** Creates a function that logs the error with which a subgraph ended or refused a subscription, and returns the error
 *  that clients may see. */
export function createClientErrorMapper({
  policy,
  log,
}: ClientErrorMapperOptions): (error: GatewayError) => GatewayError {
  return (error) => {
    const { subgraph, code } = error;
    const cause = causeForLog(error, policy);
    const problem = cause && hideQuotedJson(cause);
    log.warn(
      { subgraph, code, status: httpStatusOf(error), problem },
      'A subgraph ended a subscription with an error',
    );
    return exposeDetails(error, policy);
  };
}

/** Creates a function that logs the error with which a subscription was interrupted, at most one a minute for each subgraph,
 *  and returns the error that clients may see. */
export function createInterruptionMapper({
  policy,
  log,
  now,
}: ClientErrorMapperOptions & { now(): number }): (error: GatewayError) => GatewayError {
  const problems = new ProblemLog({ log, now, message: 'Subscriptions at a subgraph were interrupted' });
  // One error interrupts all subscriptions of a WebSocket: thousands of errors would take long to create. Weak, because an
  // error keeps the functions that created it in memory, and with them the supergraph of a subscription.
  const exposedErrors = new WeakMap<GatewayError, GatewayError>();
  return (error) => {
    const { subgraph } = error;
    if (subgraph !== undefined) problems.report('interrupted', describeProblem(error, policy), { subgraph });
    const known = exposedErrors.get(error);
    if (known !== undefined) return known;
    const exposed = exposeDetails(error, policy);
    exposedErrors.set(error, exposed);
    return exposed;
  };
}

/** Creates a function that logs why a subgraph did not accept subscriptions again after a new supergraph, at most once a
 *  minute for each subgraph. */
export function createResubscribeReporter({
  policy,
  log,
  now,
}: ClientErrorMapperOptions & { now(): number }): (error: GatewayError) => void {
  const message =
    'A subgraph is not available for subscriptions with the new supergraph; they continue as before';
  const problems = new ProblemLog({ log, now, message });
  return (error) => {
    const { subgraph } = error;
    if (subgraph !== undefined)
      problems.report('not resubscribed', describeProblem(error, policy), { subgraph });
  };
}

function describeProblem(error: GatewayError, policy: ClientErrorMapperOptions['policy']): string {
  const problem = causeForLog(error, policy) ?? error.message;
  const status = httpStatusOf(error);
  return status === undefined ? problem : `${problem} (status ${status})`;
}

/** The subgraph's own message only with `exposeSubgraphErrors`. `undefined` without a cause. */
function causeForLog(
  error: GatewayError,
  { exposeSubgraphErrors }: ClientErrorMapperOptions['policy'],
): string | undefined {
  const [reported] = reportedErrorsOf(error) ?? [];
  if (reported === undefined) return describeCause(error);
  return exposeSubgraphErrors ? reported.message : undefined;
}

function exposeDetails(
  error: GatewayError,
  { exposeSubgraphErrors, exposeSubgraphs }: ClientErrorMapperOptions['policy'],
): GatewayError {
  const { subgraph, code } = error;
  // The error of an extension's hook has a code of its own.
  if (subgraph === undefined || error.clientCode !== code) return error;
  const [reported] = reportedErrorsOf(error) ?? [];
  const { code: _, ...extensions } = (exposeSubgraphErrors && reported?.extensions) || {};
  const message = exposeSubgraphErrors ? (reported?.message ?? withCause(error)) : error.message;
  return new GatewayError(code, message, {
    subgraph,
    extensions: { ...error.extensions, ...extensions, ...(exposeSubgraphs ? { subgraph } : {}) },
    cause: error,
  });
}
