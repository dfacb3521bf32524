import type { GraphQLFormattedError } from 'graphql';
import { explainTlsMessage } from './tls/explainTlsError.ts';

/** Every error code that the gateway itself puts into `extensions.code`, with the HTTP status of a response without `data`.
 *  `docs/errors.md` explains each code; a test compares the two. */
export const errorCodes = {
  SUBGRAPH_TIMEOUT: { status: 504 },
  SUBGRAPH_UNREACHABLE: { status: 502 },
  SUBGRAPH_ERROR: { status: 502 },
  SUBGRAPH_INVALID_RESPONSE: { status: 502 },
  DEADLINE_EXCEEDED: { status: 504 },
  REQUEST_ABORTED: { status: 499 },
  PERSISTED_QUERY_NOT_FOUND: { status: 400 },
  PERSISTED_QUERY_NOT_ALLOWED: { status: 400 },
  OPERATION_TOO_COMPLEX: { status: 400 },
  PLANNING_FAILED: { status: 500 },
  OVERLOADED: { status: 503 },
  RATE_LIMITED: { status: 429 },
  CIRCUIT_OPEN: { status: 503 },
  SHUTTING_DOWN: { status: 503 },
  SUPERGRAPH_UNAVAILABLE: { status: 503 },
  SUPERGRAPH_CHANGED: { status: 503 },
  EVENTS_MISSED: { status: 503 },
  SUBSCRIPTION_IDLE: { status: 503 },
  EVENT_INCOMPLETE: { status: 502 },
  ENRICHMENT_EXPIRED: { status: 404 },
  UNAUTHENTICATED: { status: 401 },
  AUTHENTICATION_UNAVAILABLE: { status: 503 },
  FORBIDDEN: { status: 403 },
  BAD_USER_INPUT: { status: 400 },
  BAD_REQUEST: { status: 400 },
  EXTENSION_FAILED: { status: 500 },
  INTERNAL_SERVER_ERROR: { status: 500 },
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** A path in the client's response: response names and list indices. */
export type ResponsePath = readonly (string | number)[];

interface GatewayErrorOptions {
  /** The subgraph that caused the error; shown to clients if `security.exposeSubgraphs` allows it. */
  readonly subgraph?: string;
  readonly path?: ResponsePath;
  readonly cause?: unknown;
  /** Further `extensions`, safe to show to any client. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** The code and status that the client gets instead of the gateway's own. */
  readonly refusal?: { readonly code: string; readonly status: number } | undefined;
}

/** The HTTP status of a formatted error whose code is not one of the gateway. Not part of the JSON text. */
export const customStatus = Symbol('customStatus');

/** An error with a code of the gateway. The message is written for the client: it never contains an address, a stack or a
 *  message of a subgraph. Those go into `cause`, which only the log shows. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly subgraph: string | undefined;
  readonly path: ResponsePath | undefined;
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly #refusal: GatewayErrorOptions['refusal'];

  constructor(code: ErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'GatewayError';
    this.code = code;
    this.subgraph = options.subgraph;
    this.path = options.path;
    this.extensions = options.extensions ?? {};
    this.#refusal = options.refusal;
  }

  get status(): number {
    return this.#refusal?.status ?? errorCodes[this.code].status;
  }

  /** The code that the client gets. */
  get clientCode(): string {
    return this.#refusal?.code ?? this.code;
  }

  /** The error as the client gets it. */
  toFormatted(): GraphQLFormattedError {
    return {
      message: this.message,
      ...(this.path === undefined ? {} : { path: this.path }),
      extensions: { ...this.extensions, code: this.clientCode },
      ...(this.#refusal === undefined ? {} : { [customStatus]: this.#refusal.status }),
    };
  }
}

/** An unexpected exception, without details for the client. `cause`: what was thrown. */
export function internalServerError(
  cause?: unknown,
  options: Pick<GatewayErrorOptions, 'subgraph'> = {},
): GatewayError {
  return new GatewayError('INTERNAL_SERVER_ERROR', 'Internal server error', { ...options, cause });
}

/** A large response is not read or written further. `subgraph`: the one whose response it is. */
export function memoryFullError(subgraph?: string): GatewayError {
  const message =
    'The gateway has not enough memory for the response. Select fewer fields, or fetch the data in pages.';
  return new GatewayError('OVERLOADED', message, subgraph === undefined ? {} : { subgraph });
}

/** Why the signal of a request was aborted: the gateway shuts down, or the client has disconnected. */
export function abortReasonOf({ reason }: { readonly reason: unknown }): GatewayError {
  return reason instanceof GatewayError
    ? reason
    : new GatewayError('REQUEST_ABORTED', 'The client ended the request.');
}

/** Ends requests and streams when the gateway shuts down. A client that connects again reaches another process. */
export class GatewayShutdownError extends GatewayError {
  constructor() {
    super('SHUTTING_DOWN', 'The gateway is shutting down.');
    this.name = 'GatewayShutdownError';
  }
}

/** Ends the stream of a client that reads too slowly. */
export class SlowClientError extends GatewayError {
  constructor() {
    super(
      'OVERLOADED',
      'This client reads events more slowly than they arrive (subscriptions.queue). Subscribe again, and query the current state.',
    );
    this.name = 'SlowClientError';
  }
}

/** Whether functions have recursed until the stack overflowed. V8 also throws a `RangeError` for other reasons, such as a text
 *  that is too long. */
export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message === 'Maximum call stack size exceeded';
}

/** The message of a thrown value. Does not use `instanceof`, because errors of Node internals and of other threads may not
 *  be instances of this realm's `Error`. */
export function messageOf(error: unknown): string {
  try {
    return typeof error === 'object' && error !== null && 'message' in error
      ? String(error.message)
      : String(error);
  } catch {
    // Extensions and plugins may throw anything.
    return 'a value without a message';
  }
}

/** The messages of the cause, in one line for operators; `undefined` without a cause, or if the cause has no message. */
export function describeCause({ cause }: GatewayError): string | undefined {
  return cause instanceof Error ? joinErrorMessages(cause) || undefined : undefined;
}

/** The message with that of the cause, for operators. */
export function messageWithCause(error: GatewayError): string {
  const cause = describeCause(error);
  return cause === undefined ? error.message : `${error.message} Cause: ${cause}`;
}

/** The messages of an error and of the errors that it consists of, in one line; empty if there are none. For a host name
 *  with several addresses, Node reports an error without a message that consists of one error for each address. */
export function joinErrorMessages(error: unknown): string {
  // No instanceof: errors of Node internals and of other threads may not be instances of this realm's `AggregateError`.
  const { message = String(error), errors }: Partial<AggregateError> = Object(error);
  const details = Array.isArray(errors) ? errors.map(joinErrorMessages) : [];
  // Node appends the local address of a connection, also where there is none.
  const own = explainTlsMessage(message.replace(' - Local (undefined:undefined)', ''));
  return [own, ...details].filter((text) => text !== '').join('; ');
}
