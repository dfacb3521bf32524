import type { GraphQLFormattedError } from 'graphql';
import { GatewayError } from '../errors.ts';
import { contentToText } from '../response/executionOutcome.ts';
import { notifyOnEnd } from '../response/notifyOnEnd.ts';
import { SharedAttributesByNumber } from '../telemetry/sharedAttributes.ts';
import type { RequestTrace, Tracing } from '../telemetry/trace.ts';
import type { AdmissionResult, CompleteResult } from './admissionResult.ts';
import type { ClientRequest } from './clientRequest.ts';
import { statusOf } from './errorResponse.ts';
import { HttpError } from './httpError.ts';

/** Starts the trace of an operation, or continues that of its client. */
export function startRequestTrace(
  tracing: Tracing,
  { headers, requestId, transport }: ClientRequest,
): ReturnType<Tracing['startTrace']> {
  return tracing.startTrace('graphql.operation', {
    headers,
    attributes: { 'tributary.request_id': requestId, 'tributary.transport': transport },
  });
}

/** What a span failed with. `cancelled`, which is no failure, if nothing waits any more. */
export function errorTypeOf(error: unknown): string {
  return error instanceof GatewayError || error instanceof HttpError
    ? errorTypeOfCode(error.code)
    : error instanceof Error
      ? error.name
      : 'unknown';
}

function errorTypeOfFormatted(error: GraphQLFormattedError | undefined): string | undefined {
  const code = error?.extensions?.code;
  return typeof code === 'string' ? errorTypeOfCode(code) : undefined;
}

function errorTypeOfCode(code: string): string {
  return code === 'REQUEST_ABORTED' ? 'cancelled' : code;
}

/** Ends the trace of an operation that has no response. */
export function endFailedTrace(trace: RequestTrace, error: unknown): void {
  const isExpected = error instanceof HttpError || error instanceof GatewayError;
  endWithStatus(trace, isExpected ? error.status : 500, errorTypeOf(error));
}

/** Ends the trace of an operation of a batch with the status that it would have alone. `error`: the first one of an operation
 *  without data. */
export function endItemTrace(trace: RequestTrace, error: GraphQLFormattedError | undefined): void {
  const status = error === undefined ? 200 : (statusOf(error) ?? 400);
  endWithStatus(trace, status, errorTypeOfFormatted(error));
}

/** Ends the trace of an operation with its response, or with the last payload of it. */
export function endTraceWith(trace: RequestTrace, result: AdmissionResult): AdmissionResult {
  if (result.kind === 'complete') {
    endWithStatus(trace, result.status, result.isExecuted ? undefined : firstErrorType(result));
    return result;
  }
  const onEnd = (error?: unknown): void =>
    trace.root.end(error === undefined ? undefined : errorTypeOf(error));
  const { outcome } = result;
  return outcome.kind === 'incremental'
    ? { ...result, outcome: { ...outcome, payloads: notifyOnEnd(outcome.payloads, onEnd) } }
    : { ...result, outcome: { ...outcome, events: notifyOnEnd(outcome.events, onEnd) } };
}

/** A request that its client got wrong is no failure of the gateway: by the semantic conventions, its span is not marked as
 *  one. */
function endWithStatus({ root }: RequestTrace, status: number, errorType: string | undefined): void {
  root.setAttributes(
    errorType === undefined
      ? statusAttributes.of(status)
      : { 'http.response.status_code': status, 'error.type': errorType },
  );
  root.end(status >= 500 ? (errorType ?? String(status)) : undefined);
}

const statusAttributes = new SharedAttributesByNumber((status) => ({ 'http.response.status_code': status }));

/** What a response failed with that has only errors. */
function firstErrorType({ content }: CompleteResult): string | undefined {
  try {
    const { errors } = JSON.parse(contentToText(content)) as { errors?: GraphQLFormattedError[] };
    return errorTypeOfFormatted(errors?.[0]);
  } catch {
    return undefined;
  }
}
