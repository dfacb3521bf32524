import { ApolloServerValidationErrorCode } from '@apollo/server/errors';
import type { GraphQLFormattedError } from 'graphql';
import { GatewayError, internalServerError } from '../errors.ts';
import type { TransportLog } from '../telemetry/logger.ts';
import type { RequestSignal } from '../time/requestAbort.ts';

/** Creates the function that gives errors their final form, whether Apollo Server reports them or the gateway. */
export function createErrorFormatter({
  suggestions,
}: {
  readonly suggestions: boolean;
}): (error: GraphQLFormattedError) => GraphQLFormattedError {
  return (error) => rewriteMessage(suggestions ? error : removeSuggestions(error));
}

/** "Did you mean …?" contains names of the schema. */
function removeSuggestions(error: GraphQLFormattedError): GraphQLFormattedError {
  const code = error.extensions?.code;
  if (code !== 'GRAPHQL_VALIDATION_FAILED' && code !== 'BAD_USER_INPUT') return error;
  const { message } = error;
  // The last one: a message may quote a long text of the client that has the words many times, for each of which an
  // expression would read the rest of the message.
  const at = message.endsWith('?') ? message.lastIndexOf('Did you mean ') : -1;
  return at === -1 ? error : { ...error, message: message.slice(0, at).trimEnd() };
}

/** Replaces messages that name an option of Apollo Server, or that do not say what to do. */
function rewriteMessage(error: GraphQLFormattedError): GraphQLFormattedError {
  if (error.extensions?.validationErrorCode === ApolloServerValidationErrorCode.INTROSPECTION_DISABLED) {
    const message =
      'Introspection is off: `__schema` and `__type` are not answered (security.introspection).';
    return { ...error, message };
  }
  // graphql-js marks it in no other way. The number is a constant of its rule OverlappingFieldsCanBeMerged.
  if (error.message === 'Validation aborted.') {
    const message =
      'The operation selects too many fields under the same names: comparing them takes more than 500000 steps. Select each field once.';
    return new GatewayError('OPERATION_TOO_COMPLEX', message).toFormatted();
  }
  return error;
}

/** The error that a client gets for an exception. Details of unexpected exceptions are logged, not sent. */
export function formatFailure(
  error: unknown,
  client: { readonly requestId: string; readonly signal: Pick<RequestSignal, 'aborted'> },
  log: TransportLog,
): GraphQLFormattedError {
  if (error instanceof GatewayError) return error.toFormatted();
  if (!client.signal.aborted) {
    log.error({ err: error, requestId: client.requestId }, 'A request failed with an unexpected error');
  }
  return internalServerError().toFormatted();
}
