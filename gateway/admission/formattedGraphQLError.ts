import { HeaderMap } from '@apollo/server';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { headersOf, statusOf } from './errorResponse.ts';

/** An error of a response without data: its code determines the HTTP status. */
export function errorWithStatus(error: GraphQLFormattedError): GraphQLError {
  return new FormattedGraphQLError(error, statusOf(error));
}

/** An error in its final form. Apollo Server requires instances of `GraphQLError`, and reads the status of the response from
 *  `extensions.http`, which the gateway uses for the status of a subgraph's response. */
export class FormattedGraphQLError extends GraphQLError {
  readonly #formatted: GraphQLFormattedError;

  constructor(formatted: GraphQLFormattedError, status: number | undefined) {
    const extensions: Record<string, unknown> = { ...formatted.extensions };
    delete extensions.http;
    if (status !== undefined) extensions.http = { status, headers: new HeaderMap(headersOf(formatted)) };
    super(formatted.message, { path: formatted.path, extensions });
    this.#formatted = formatted;
  }

  override toJSON(): GraphQLFormattedError {
    return this.#formatted;
  }
}
