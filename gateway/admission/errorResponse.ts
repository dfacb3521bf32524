import { ApolloServerErrorCode } from '@apollo/server/errors';
import type { GraphQLFormattedError } from 'graphql';
import { customStatus, errorCodes, type GatewayError } from '../errors.ts';
import { HttpError, retryHeaders } from './httpError.ts';

/** The HTTP status of a response whose only content is this error; `undefined` for an error without a code of the
 *  gateway. */
export function statusOf(
  error: GraphQLFormattedError & { readonly [customStatus]?: number },
): number | undefined {
  const own = error[customStatus];
  if (own !== undefined) return own;
  const code = error.extensions?.code;
  if (typeof code !== 'string' || !Object.hasOwn(errorCodes, code)) return undefined;
  return errorCodes[code as keyof typeof errorCodes].status;
}

/** Codes of request errors by the GraphQL specification: a well-formed request whose operation is not executed because the
 *  client wrote its text, its name or its variables wrong. */
const requestErrorCodes: ReadonlySet<unknown> = new Set([
  ApolloServerErrorCode.GRAPHQL_PARSE_FAILED,
  ApolloServerErrorCode.GRAPHQL_VALIDATION_FAILED,
  ApolloServerErrorCode.OPERATION_RESOLUTION_FAILURE,
  ApolloServerErrorCode.BAD_USER_INPUT,
]);

/** Whether a response in JSON has request errors only. A batch never does. */
export function hasOnlyRequestErrors(response: string): boolean {
  const { errors = [] } = JSON.parse(response) as { errors?: readonly GraphQLFormattedError[] };
  return errors.length > 0 && errors.every(({ extensions }) => requestErrorCodes.has(extensions?.code));
}

/** The HTTP headers that such a response has because of the error. */
export function headersOf(error: GraphQLFormattedError): readonly (readonly [string, string])[] {
  if (error.extensions?.code === 'UNAUTHENTICATED') return [['www-authenticate', challengeOf(error)]];
  return statusOf(error) === 503 ? Object.entries(retryHeaders) : [];
}

/** The value of `WWW-Authenticate` (RFC 6750, section 3): with an error only if the request had a token. */
function challengeOf({ message, extensions }: GraphQLFormattedError): string {
  const challenge = 'Bearer realm="graphql"';
  const reason = extensions?.reason;
  if (reason === undefined || reason === 'missing') return challenge;
  const description = message.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '');
  return `${challenge}, error="invalid_token", error_description="${description}"`;
}

/** The error for a request that is refused before its operation is known. */
export function toHttpError(error: GatewayError): HttpError {
  return new HttpError(error.status, error.message, {
    code: error.code,
    headers: Object.fromEntries(headersOf(error.toFormatted())),
    extensions: error.extensions,
  });
}
