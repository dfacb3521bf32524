import type { GraphQLFormattedError } from 'graphql';
import type { ErrorCode } from '../errors.ts';

/** With the code of Apollo Server for documents that are not valid. */
type HttpErrorCode = ErrorCode | 'GRAPHQL_VALIDATION_FAILED';

interface HttpErrorOptions {
  readonly code?: HttpErrorCode;
  readonly headers?: Readonly<Record<string, string>>;
  /** In the text of the operation. */
  readonly locations?: GraphQLFormattedError['locations'];
  /** Further `extensions` of the error that the client gets. */
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** The headers of every response with status 503. Overload is short, and another process serves the client of one that
 *  shuts down. */
export const retryHeaders = { 'retry-after': '1' } as const;

/** Refuses a request before Apollo Server sees it. The message is written for the client. */
export class HttpError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly code: HttpErrorCode;
  readonly #locations: GraphQLFormattedError['locations'];
  readonly #extensions: Readonly<Record<string, unknown>>;

  constructor(status: number, message: string, options: HttpErrorOptions = {}) {
    super(message);
    this.name = 'HttpError';
    this.status = status;
    this.headers = { ...(status === 503 ? retryHeaders : {}), ...options.headers };
    this.code = options.code ?? 'BAD_REQUEST';
    this.#locations = options.locations;
    this.#extensions = options.extensions ?? {};
  }

  /** The same error, with the number of the operation in its batch. The first one has number 1. */
  inBatch(number: number): HttpError {
    const { status, code, headers } = this;
    return new HttpError(status, `Operation ${number} of the batch: ${this.message}`, {
      code,
      headers,
      locations: this.#locations,
      extensions: this.#extensions,
    });
  }

  toFormatted(): GraphQLFormattedError {
    const located = this.#locations === undefined ? {} : { locations: this.#locations };
    return { message: this.message, ...located, extensions: { ...this.#extensions, code: this.code } };
  }
}

/** Refuses a request that another process can serve. */
export function shuttingDownError(): HttpError {
  return new HttpError(503, 'The gateway is shutting down. Try again.', { code: 'SHUTTING_DOWN' });
}

/** The client closed its connection: no response can be sent. Without a stack, which would be most of the work for a client
 *  that resets all its requests. */
export class ClientDisconnectedError extends Error {
  constructor() {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super('The client closed the connection.');
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'ClientDisconnectedError';
  }
}
