import { describeCause, GatewayError } from '../errors.ts';
import { type ErrorPolicy, withCause } from '../response/formatErrors.ts';
import { httpStatusOf } from '../subgraphs/callErrors.ts';
import type { LabeledCounter } from '../telemetry/labeledCounter.ts';
import { hideQuotedJson, type Logger } from '../telemetry/logger.ts';
import { ProblemLog } from '../telemetry/problemLog.ts';
import { reportedErrorsOf } from './sources/reportedErrors.ts';

interface ReportOptions {
  /** With `exposeSubgraphErrors`, the log has the subgraph's own message, too. */
  readonly policy: Pick<ErrorPolicy, 'exposeSubgraphErrors' | 'exposeSubgraphs'>;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  now(): number;
}

interface ClientErrorMapperOptions extends ReportOptions {
  /** Counts the errors by subgraph and code. */
  readonly counter: Pick<LabeledCounter, 'increment'>;
}

/** Creates a function that logs the error with which a subgraph ended or refused a subscription, at most one a minute for each
 *  subgraph and code, and returns the error that clients may see. */
export function createClientErrorMapper(
  options: ClientErrorMapperOptions,
): (error: GatewayError) => GatewayError {
  return createMapper(options, 'ended', 'A subgraph ended a subscription with an error');
}

/** The same for the error with which a subscription was interrupted. */
export function createInterruptionMapper(
  options: ClientErrorMapperOptions,
): (error: GatewayError) => GatewayError {
  return createMapper(options, 'interrupted', 'Subscriptions at a subgraph were interrupted');
}

function createMapper(
  { policy, log, now, counter }: ClientErrorMapperOptions,
  kind: string,
  message: string,
): (error: GatewayError) => GatewayError {
  const problems = new ProblemLog({ log, now, message });
  // One error interrupts all subscriptions of a WebSocket: thousands of errors would take long to create. Weak, because an
  // error keeps the functions that created it in memory, and with them the supergraph of a subscription.
  const exposedErrors = new WeakMap<GatewayError, GatewayError>();
  return (error) => {
    const { subgraph, code } = error;
    counter.increment(subgraph ?? '', code);
    problems.report(
      kind,
      describeProblem(error, policy),
      subgraph === undefined ? { code } : { subgraph, code },
    );
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
}: ReportOptions): (error: GatewayError) => void {
  const message =
    'A subgraph is not available for subscriptions with the new supergraph; they continue as before';
  const problems = new ProblemLog({ log, now, message });
  return (error) => {
    const { subgraph } = error;
    if (subgraph !== undefined)
      problems.report('not resubscribed', describeProblem(error, policy), { subgraph });
  };
}

function describeProblem(error: GatewayError, policy: ReportOptions['policy']): string {
  const problem = hideQuotedJson(causeForLog(error, policy) ?? error.message);
  const status = httpStatusOf(error);
  return status === undefined ? problem : `${problem} (status ${status})`;
}

/** The subgraph's own message only with `exposeSubgraphErrors`. `undefined` without a cause. */
function causeForLog(
  error: GatewayError,
  { exposeSubgraphErrors }: ReportOptions['policy'],
): string | undefined {
  const [reported] = reportedErrorsOf(error) ?? [];
  if (reported === undefined) return describeCause(error);
  return exposeSubgraphErrors ? reported.message : undefined;
}

function exposeDetails(
  error: GatewayError,
  { exposeSubgraphErrors, exposeSubgraphs }: ReportOptions['policy'],
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
